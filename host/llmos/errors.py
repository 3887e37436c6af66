"""The errors that people meet, one line each; `llmos.__main__` prints them.

LlmosError                  anything that LLMos refuses or cannot do
├── AgentError              an agent that is not there or may not be called  (llmos.agents)
├── ArenaError              an arena that is wrong or cannot be solved       (llmos.sim.arena)
├── BabyAIError             an episode of BabyAI that cannot be played      (llmos.babyai)
├── BehaviourError          a behaviour that is not in the list             (llmos.behaviours)
├── BoardError              a host that breaks the clock channel's protocol (llmos.sim.board)
├── CalibrationError        a calibration that cannot be made                (llmos.calibration)
├── CameraError             a camera that sends no pictures                  (llmos.camera)
├── ConfidenceError         the weights of confidence are missing or wrong   (llmos.brains.confidence)
├── ContextError            more pinned than a model's context holds         (llmos.agents.context)
├── DocumentError           a markdown file that is wrong                   (llmos.volumes)
├── DreamError              a dream that cannot begin                       (llmos.evolution)
├── EvaluationError         an evaluation that cannot be run                 (llmos.evaluation)
├── FaultError              a fault that cannot be switched on               (llmos.sim.faults)
├── FirmwareDied            the MicroPython behind a virtual robot ended     (llmos.sim.child)
├── FlashError              a board that cannot be flashed                   (llmos.flashing.errors)
│   ├── BoardLost           it stops answering in the middle
│   ├── ForeignFile         a file of somebody else lies where ours belongs
│   ├── ImageError          a file that is no MicroPython for the board
│   ├── NoAnswer            nothing answers as MicroPython does
│   ├── NoPort              no board is connected
│   ├── NoRoom              its file system cannot hold the firmware
│   ├── PortBusy            another program has the port open
│   ├── SeveralPorts        more than one is connected
│   └── WrongChip           its chip is none that the firmware runs on
├── FlashFileError          a virtual flash's file that cannot be used       (llmos.sim.flash)
├── GoalError               a goal that cannot be understood                 (llmos.kernel.goal)
├── InferenceError          a model that cannot be had or does not answer    (llmos.inference)
│   ├── AdapterError        an adapter that cannot be used
│   ├── BudgetSpent         the run has no more calls, tokens or seconds    (llmos.brains.budget)
│   └── DeadlineExpired     no answer in time
├── InputError              a block's file that cannot be read              (llmos.cli.bytecode)
├── InvalidDecision         an answer that is no legal decision              (llmos.kernel.decision)
├── LinkError               a robot that cannot be reached                   (llmos.link.errors)
│   ├── BlockRefused        the robot refused a block
│   ├── HashMismatch        host and robot speak different dictionaries
│   ├── LinkTimeout         the robot did not answer in time
│   │   └── RobotRestarted  because it knows nothing of us any more
│   └── RobotFault          the robot reports a fault
├── MapLost                 a map's changes without the map that they change (llmos.kernel.maps)
├── ManifestError           a robot's manifest that is wrong                 (llmos.manifest)
├── MessageError            a message between agents that is wrong or lost   (llmos.agents)
├── MicroPythonNotFound     no MicroPython to run the firmware on            (llmos.micropython)
├── NoBoard                 a MicroPython that cannot be a virtual board     (llmos.sim.esp32s3)
├── NoImage                 a flash with nothing in it that boots            (llmos.sim.image)
├── PlanningError           costs or cells that no path can be planned on    (llmos.planning.astar)
├── PortTaken               a TCP port that another program has              (llmos.sim.rfc2217)
├── ProjectError            a project that cannot go on                      (llmos.project)
├── PromptError             a kernel file that says what it cannot say       (llmos.kernel.prompt)
├── RecallError             what cannot be remembered or found               (llmos.memory)
│   ├── IllegalLink         a trace that may not hang where it should
│   ├── MemoryDamaged       a memory file that is broken
│   └── MemoryFromLater     a memory file of a later LLMos
├── PromotionRefused        a promotion that is short of something          (llmos.evolution)
├── RecordError             a record of a run that cannot be read            (llmos.blackbox)
├── ReleaseError            nothing to release from quarantine              (llmos.evolution)
├── ResourceMissing         a folder that ships with LLMos is not there      (llmos.resources)
├── SkillError              a skill that is not there, or a value it refuses (llmos.skills)
├── StateError              the state folder cannot be used                  (llmos.state)
├── ToolError               a tool that is not there or not allowed          (llmos.tools)
│   └── ChainError          agents that call each other in a circle or too deep
├── TrainingError           training that cannot begin or go on              (llmos.training)
├── TruthError              a truth log that cannot be written or read       (llmos.sim.truth)
├── VolumeError             a volume that cannot be read or written         (llmos.volumes)
│   ├── AccessDenied        somebody writes where he may not
│   ├── Diverged            two states changed the same path
│   ├── NoEntry             a file, name or commit that is not there
│   ├── PathEscape          a path that is none of a volume's
│   └── RemoteGone          a git remote that cannot be reached
├── WishError               a wish that nobody can be asked for              (llmos.writing)
└── WorkersError            workers that cannot be had, or were killed      (llmos.workers)
"""


class LlmosWarning(UserWarning):
    """What a person should know, and what ends nothing, in one line."""


class LlmosError(Exception):
    """What failed, the value, where, and what to do, in one line."""

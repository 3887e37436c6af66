"""The errors that people meet, one line each; `llmos.__main__` prints them.

LlmosError                  anything that LLMos refuses or cannot do
├── LinkError               the port or the robot at its end             (llmos.link.errors)
│   ├── BlockRefused        the robot's verifier refuses a block
│   ├── HashMismatch        another SPEC or another manifest
│   ├── LinkTimeout         no answer in time
│   └── RobotFault          the robot cannot do what it is asked now
├── MicroPythonNotFound     no MicroPython to run the firmware on        (llmos.micropython)
└── ResourceMissing         a file that ships with LLMos is not there    (llmos.resources)
"""


class LlmosError(Exception):
    """What failed, the value, where, and what to do, in one line."""

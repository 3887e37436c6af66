# LLMVM: the robot's half of LLMos, and its words for the REPL: start(), status(), senses().
_robot = None  # the supervisor that runs, or has run


# What robot.json says of this robot.
def _config():
    import json

    with open("robot.json") as file:
        return json.load(file)


# Run the robot until Ctrl-C.
def start():
    global _robot
    import gc

    from llmvm import hal
    from llmvm.supervisor import Supervisor

    config = _config()
    _robot = None
    gc.collect()  # what the compiler has left behind lies in the way of large arrays
    _robot = Supervisor(hal.open(config), config["limits"], config["angles_mrad"])
    _robot.run()


# Print who this is and how it is.
def status():
    import gc

    from machine import reset_cause

    from llmvm import _isa

    gc.collect()
    config = _config()
    print("LLMBytecode %d.%d, SPEC 0x%08x" % (_isa.MAJOR, _isa.MINOR, _isa.SPEC_HASH & 0xFFFFFFFF))
    print("robot %s on %s, %d bytes of heap free" % (config["name"], config["hal"], gc.mem_free()))
    print("last reset: cause", reset_cause(), "of machine.*_RESET")
    if _robot:
        _robot.show()
    print("stopped, as the REPL has the port; Ctrl-D or llmvm.start() starts it again")


# Print what the sensors read now.
def senses():
    if _robot:
        _robot.show_senses()
    else:
        print("no sensor is open; Ctrl-D or llmvm.start() opens them")

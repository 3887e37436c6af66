"""Goodput of the link at 921,600 baud, in simulated time: payload bytes of DATA over what the line can carry.

The line carries a byte in ten bits (start, eight, stop), so 92,160 bytes a second. *Streams* are DATA frames
alone, from the host's end of the link to the firmware's on the real MicroPython, without an end to wait for.
*Blocks* go through `Robot.upload` to the virtual robot, one after the other: BEGIN, DATA, COMMIT, and the wait
for the robot's verdict, heartbeats and telemetry between. With drop=0.01 one frame in a hundred is lost, in
both directions.
"""

"""The virtual robot's world: arenas, the body, the board process, and the judge of a finished run.

Only `llmos.sim.judge` and the drawing of a finished run read the truth; nothing on the way to a decision
does.
"""

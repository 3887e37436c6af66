"""The primitive actions, as minigrid numbers them."""

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE = range(6)
ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")

"""The kernel: one cycle from what the robot knows to what it does next."""

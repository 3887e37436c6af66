# Runs before main.py at power-on; nothing moves before the supervisor says so.

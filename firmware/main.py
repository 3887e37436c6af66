# The robot's program; Ctrl-C leaves it, with its wheels stopped, for the REPL.
import llmvm

llmvm.start()

# LLMVM: the robot's half of LLMos.

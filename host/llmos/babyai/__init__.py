"""BabyAI: the brains of LLMos in another world, rooms of a grid with missions in words.

The model chooses subgoals, classical planning moves: what the agent has seen becomes a map, the map's things
become options such as `pick up the red ball`, and the shortest way to an option is searched on the map.

The package `minigrid` is optional: `pip install 'llmos[babyai]'`.

Errors: `LlmosError` <- `BabyAIError`.
"""

from .episode import EXPERT, FAMILIES, WAYS, BabyAIError, Played, make_level, play

__all__ = ["EXPERT", "FAMILIES", "WAYS", "BabyAIError", "Played", "make_level", "play"]

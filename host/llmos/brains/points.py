"""The boundary's small questions: what a sentence asks for, how places are scored, what a cell is."""

import json
from dataclasses import replace

from llmos.brains.boundary import Who, ask_point
from llmos.brains.question import Question, Thought
from llmos.inference import InferenceError, Kernel
from llmos.kernel.frame import Point, one_line, place
from llmos.kernel.goal import KINDS
from llmos.kernel.prompt import system_prompt
from llmos.world.candidates import STRATEGIES

USUAL_STRATEGY = "balanced"
STATES = ("free", "obstacle", "unknown")


def kind_of_goal(kernel: Kernel, who: Who, text: str, seed: int = 0) -> str:
    """Return what a sentence asks for, one of KINDS; empty where the rule answers or nobody can."""
    return choose(kernel, who, "goal", f'"{one_line(text)}"', KINDS, seed)


def strategy_of(kernel: Kernel, who: Who, goal: str, seed: int = 0) -> str:
    """Return how candidates are scored, one of STRATEGIES; the usual one where nobody can say."""
    text = f"goal: {one_line(goal)}"
    return choose(kernel, who, "strategy", text, tuple(STRATEGIES), seed) or USUAL_STRATEGY


def choose(kernel: Kernel, who: Who, point: str, text: str, choices: tuple[str, ...], seed: int) -> str:
    """Ask at a point, unless the rule answers there."""
    if who in ("off", "rule"):
        return ""
    try:
        return ask_point(kernel, who, system_prompt(point), text, choices, seed=seed).choice
    except InferenceError:
        return ""


def doubt(at: Point, state: str) -> str:
    """Return the question after a doubtful cell that may be why a step failed."""
    return f"cell {place(at)}: {state}; the last step failed there"


def corrected(kernel: Kernel, who: Who, question: Question, thought: Thought) -> Thought:
    """Return the thought with the model's word on the most doubtful cell, after a step that failed."""
    if who == "off" or question.doubtful is None or not question.failed:
        return thought
    at, state = question.doubtful
    try:
        said = ask_point(
            kernel, who, system_prompt("correction"), doubt(at, state), STATES, seed=question.seed
        )
    except InferenceError as failure:
        return replace(thought, note=thought.note or str(failure))
    sure = round(said.probabilities.get(said.choice, 0.0), 3)
    change = {"pos_m": list(at), "state": said.choice, "confidence": min(1.0, sure)}
    decision = json.loads(thought.text) | {"world_model_update": {"corrections": [change]}}
    text = json.dumps(decision, separators=(",", ":"), ensure_ascii=False)
    return replace(thought, text=text, calls=(*thought.calls, *said.calls))

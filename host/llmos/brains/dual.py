"""Two brains: reactive rules and an instinct that decide at once, and a planner that thinks behind them."""

from collections.abc import Callable
from dataclasses import replace

from llmos.brains.boundary import Boundary, Who
from llmos.brains.confidence import judged, load_trust
from llmos.brains.escalation import Escalation
from llmos.brains.instinct import Instinct
from llmos.brains.planner import Plan, Planner, follow, in_hand, over
from llmos.brains.points import corrected
from llmos.brains.question import Question, Thought
from llmos.brains.reactive import CALM, URGENT, Memory, Rule, react
from llmos.brains.stand_in import rule_decides
from llmos.inference import InferenceError, Kernel
from llmos.kernel.decision import InvalidDecision, read_decision


class Dual:
    """Decides by the first that has something to say: an urgent reactive rule, a plan,
    another reactive rule, the instinct, the rule.

    Args:
        kernel: the model of both brains.
        planner: thinks in the background; its plan counts once it has arrived.
        boundary: who answers what.
        arrived: asks, on a wall clock, whether the plan in the making is ready; on a simulated one, where a
            plan arrives at a moment that is known beforehand, None.
    """

    def __init__(
        self,
        kernel: Kernel,
        planner: Planner,
        boundary: Boundary,
        arrived: Callable[[Callable[[], bool]], bool] | None = None,
    ) -> None:
        self.vision = kernel.vision
        self._kernel = kernel
        self._trust = load_trust(kernel.name)
        self._instinct = Instinct(kernel, self._trust.instinct)
        self._planner, self._boundary, self._arrived = planner, boundary, arrived
        self._escalation = Escalation()
        self._memory = Memory()
        self._plan: Plan | None = None

    def close(self) -> None:
        """Cancel what the planner is doing."""
        self._planner.close()

    def __call__(self, question: Question) -> Thought:
        """Decide; see `Brain`."""
        who = self._boundary.who(point_of(question))
        self._take_plan(question)
        reason = self._escalate(question, who)
        thought = self._decide(question, who)
        if not reason and thought.confidence is not None:
            reason = self._escalate(question, who, thought.confidence)
        thought = corrected(self._kernel, self._boundary.correction, question, thought)
        self._remember(question, thought)
        return replace(thought, escalation=reason)

    def _decide(self, question: Question, who: Who) -> Thought:
        """Ask one after the other."""
        thought = self._react(question, URGENT) or self._planned(question) or self._react(question, CALM)
        if thought:
            return thought
        asks = who != "rule" and question.frame.candidates
        return self._felt(question) if asks else rule_decides(question)

    def _react(self, question: Question, rules: tuple[Rule, ...]) -> Thought | None:
        """Ask reactive rules."""
        found = react(question, self._memory, rules)
        return None if found is None else Thought(found.text, "reactive", found.rule, found.confidence)

    def _planned(self, question: Question) -> Thought | None:
        """Follow the plan, as far as its votes and the scores together speak for it."""
        plan, offered = self._plan, question.frame.candidates
        if plan is None:
            return None
        name, text = in_hand(plan, question.frame), follow(plan, question.frame)
        if name is None or text is None or over(plan, question.frame, self._memory.planned):
            self._plan = None
            return None
        share = plan.share
        others = (1 - share) / max(1, len(offered) - 1)
        votes = {one.id: share if one.id == name else others for one in offered}
        choice = judged(votes, {one.id: one.score for one in offered}, self._trust.plan)
        if choice.id != name:
            self._plan = None
            return None
        why = f"{plan.reason}, {share:.0%} of {plan.generations}"
        return Thought(text, "planner", why, choice.confidence, votes, prompt=plan.prompt)

    def _felt(self, question: Question) -> Thought:
        """Ask the instinct; the rule answers where it cannot."""
        try:
            return self._instinct(question).thought
        except InferenceError as failure:
            return rule_decides(question, failure)

    def _take_plan(self, question: Question) -> None:
        """Take in a plan that has arrived."""
        arrived = self._arrived(self._planner.ready) if self._arrived else None
        self._plan = self._planner.poll(question.now_ms, arrived) or self._plan

    def _escalate(self, question: Question, who: Who, confidence: float | None = None) -> str:
        """Set the planner to work where there is a reason; return it, empty where there is none."""
        free = not self._planner.busy and len(question.frame.candidates) > 1 and who != "rule"
        reason = self._escalation.reason(
            question.circumstances,
            question.frame.cycle,
            confidence=confidence,
            planned=self._plan is not None,
            free=free,
        )
        if who == "planner" and free and self._plan is None:
            reason = reason or "boundary"
        return reason if reason and self._planner.start(question, reason, question.now_ms) else ""

    def _remember(self, question: Question, thought: Thought) -> None:
        """Keep where this decision leads, for the next cycle's reactive rules."""
        try:
            action = read_decision(thought.text, question.frame.candidates, question.failed).action
        except InvalidDecision:
            self._memory = Memory()
            return
        place = next((one.pos_m for one in question.frame.candidates if one.id == action.target_id), None)
        self._memory = Memory(place, action.type, thought.brain == "planner")


def point_of(question: Question) -> str:
    """Return which of the boundary's points a cycle's decision belongs to."""
    frame = question.frame
    if frame.state.is_stuck:
        return "recovery"
    explores = all(one.type == "frontier" for one in frame.candidates)
    return "exploration" if explores else "navigation"

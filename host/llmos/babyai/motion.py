"""Moving: the shortest sequence of actions on the map that the agent itself has seen."""

from collections import deque
from collections.abc import Callable

from llmos.babyai.actions import FORWARD, LEFT, RIGHT
from llmos.babyai.belief import Belief, Pose

Way = tuple[int, ...]


class Reach:
    """Every pose that can be reached, in the order of its distance in actions (breadth first)."""

    def __init__(self, belief: Belief) -> None:
        self._came: dict[Pose, tuple[Pose, int] | None] = {belief.pose: None}
        self.steps = {belief.pose: 0}
        queue = deque([belief.pose])
        while queue:
            pose = queue.popleft()
            for action, following in moves(belief, pose):
                if following not in self._came:
                    self._came[following] = pose, action
                    self.steps[following] = self.steps[pose] + 1
                    queue.append(following)

    def nearest(self, good: Callable[[Pose], bool]) -> Pose | None:
        """Return the nearest pose of a kind; None where there is none."""
        return next((pose for pose in self.steps if good(pose)), None)

    def way(self, pose: Pose) -> Way:
        """Return the actions that lead to a pose."""
        actions: list[int] = []
        came = self._came[pose]
        while came:
            actions.append(came[1])
            came = self._came[came[0]]
        return tuple(reversed(actions))


def moves(belief: Belief, pose: Pose) -> list[tuple[int, Pose]]:
    """Return what one action can make of a pose."""
    found = [
        (LEFT, pose._replace(direction=(pose.direction - 1) % 4)),
        (RIGHT, pose._replace(direction=(pose.direction + 1) % 4)),
    ]
    x, y = pose.front
    return [(FORWARD, pose._replace(x=x, y=y)), *found] if belief.free(pose.front) else found

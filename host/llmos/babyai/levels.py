"""The levels: five families of missions in small rooms, made of the parts of the package `minigrid`.

The families are those of BALROG's BabyAI tasks (Paglieri et al. 2024, arXiv 2411.13543), which come from the
level MixedTrainLocal of Carta et al. 2023 (arXiv 2302.02662). That level is in no release of minigrid, so
these are levels of the same kind and not the same levels.
"""

import contextlib
import io
from importlib import import_module
from typing import Any

_level: Any = import_module("minigrid.envs.babyai.core.roomgrid_level")
_verifier: Any = import_module("minigrid.envs.babyai.core.verifier")
_bot: Any = import_module("minigrid.utils.baby_ai_bot")

MAX_STEPS = 128  # as in BALROG
ROOM = 8  # cells across, walls included
NEEDED = {"goto": 1, "pickup": 1, "putnext": 2, "pick_up_seq_go_to": 2}  # objects that a mission names


class Level(_level.RoomGridLevel):  # type: ignore[misc]
    """One family's level: a room, for `open` two with a locked door between them.

    Args:
        family: see `llmos.babyai.FAMILIES`.
        distractors: objects in the room that the mission does not need.
    """

    def __init__(self, family: str, distractors: int) -> None:
        self.family, self.distractors = family, distractors
        rooms = 2 if family == "open" else 1
        super().__init__(room_size=ROOM, num_rows=1, num_cols=rooms, max_steps=MAX_STEPS)

    def reset(self, **given: Any) -> Any:
        """Begin an episode; what the package prints about refused drafts is nobody's concern."""
        with contextlib.redirect_stdout(io.StringIO()):
            return super().reset(**given)

    def gen_mission(self) -> None:
        """Fill the rooms and set the mission; a draft in which something cannot be reached is refused."""
        self.instrs = self.locked() if self.family == "open" else self.among_objects()
        self.check_objs_reachable()

    def locked(self) -> Any:
        """Open a locked door; its key lies in the agent's room."""
        here = int(self._rand_int(0, 2))
        door, _ = self.add_door(here, 0, 0 if here == 0 else 2, locked=True)
        self.add_object(here, 0, "key", door.color)
        if self.distractors:
            self.add_distractors(here, 0, num_distractors=self.distractors, all_unique=False)
        self.place_agent(here, 0)
        return _verifier.OpenInstr(_verifier.ObjDesc("door", self._rand_elem([None, door.color])))

    def among_objects(self) -> Any:
        """Do something with one or two of the objects of a room."""
        needed = NEEDED[self.family]
        self.place_agent()
        things = self.add_distractors(num_distractors=self.distractors + needed, all_unique=False)
        chosen = [(thing.type, thing.color) for thing in self._rand_subset(things, needed)]
        if len(set(chosen)) < needed:
            raise _level.RejectSampling("two objects of one description")
        wanted = [_verifier.ObjDesc(*one) for one in chosen]
        if self.family == "goto":
            return _verifier.GoToInstr(*wanted)
        if self.family == "pickup":
            return _verifier.PickupInstr(*wanted)
        if self.family == "putnext":
            return _verifier.PutNextInstr(*wanted)
        first, then = _verifier.PickupInstr(wanted[0]), _verifier.GoToInstr(wanted[1])
        return _verifier.BeforeInstr(first, then) if self._rand_bool() else _verifier.AfterInstr(then, first)


def expert(level: Level) -> Any:
    """Return minigrid's own solver, which reads the simulator's mind."""
    return _bot.BabyAIBot(level)

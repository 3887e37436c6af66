"""One finite motion of two stepper wheels, in closed form."""

import math


class Motion:
    """The wheels to standstill, exactly `left` and `right` half-steps further.

    The wheel with more steps leads: it ramps from `speed` to at most `rate` (steps/s) with `accel` (steps/s²)
    and brakes with it; where it is too fast to end in time, it brakes harder. The other wheel keeps its
    proportion, so that both end together. `done` is the part of its first step that the leading wheel has
    made already.
    """

    __slots__ = (
        "_brake_s", "_cruise", "_done", "_ramp", "_ramp_s", "_ramp_steps", "_speed", "_total",
        "accel", "begun_ms", "brake", "duration_s", "left", "rest_ms", "right",
    )  # fmt: skip

    def __init__(
        self,
        begun_ms: int,
        left: int,
        right: int,
        rate: float,
        accel: float,
        speed: float = 0.0,
        done: float = 0.0,
    ) -> None:
        self.begun_ms, self.left, self.right, self.accel = begun_ms, left, right, accel
        self._total = total = max(abs(left), abs(right))
        self._speed, self._done = speed, done
        way = total - done
        if speed * speed < 2 * accel * way:
            self.brake = accel
            self._cruise = min(rate, math.sqrt(accel * way + speed * speed / 2))
        else:
            self.brake = speed * speed / (2 * way) if way > 0 else math.inf
            self._cruise = speed
        self._ramp = math.copysign(accel, self._cruise - speed)
        self._ramp_s = abs(self._cruise - speed) / accel
        self._ramp_steps = self._ramp_s * (self._cruise + speed) / 2
        level = way - self._ramp_steps - self._cruise**2 / (2 * self.brake)
        self._brake_s = self._ramp_s + (max(0.0, level) / self._cruise if self._cruise else 0.0)
        self.duration_s = self._brake_s + self._cruise / self.brake
        self.rest_ms = begun_ms + math.ceil(self.duration_s * 1000 - 1e-6)

    def _lead(self, seconds: float) -> float:
        if seconds < self._ramp_s:
            return self._done + seconds * (self._speed + self._ramp * seconds / 2)
        if seconds < self._brake_s:
            return self._done + self._ramp_steps + self._cruise * (seconds - self._ramp_s)
        return self._total - self.brake * (self.duration_s - seconds) ** 2 / 2

    def steps(self, now_ms: int) -> tuple[int, int]:
        """Half-steps that the left and the right wheel have made since the motion began."""
        if now_ms >= self.rest_ms:
            return self.left, self.right
        lead = int(self._lead((now_ms - self.begun_ms) / 1000) + 1e-6)
        if self.left == self.right:
            return (lead, lead) if self.left > 0 else (-lead, -lead)
        # toward zero, so that both directions of a wheel are alike
        return int(self.left * lead / self._total), int(self.right * lead / self._total)

    def speeds(self, now_ms: int) -> tuple[float, float]:
        """Speeds of the left and the right wheel in steps/s."""
        seconds = (now_ms - self.begun_ms) / 1000
        if now_ms >= self.rest_ms or not self._total:
            return 0.0, 0.0
        if seconds < self._ramp_s:
            lead = self._speed + self._ramp * seconds
        else:
            lead = min(self._cruise, self.brake * max(0.0, self.duration_s - seconds))
        return self.left / self._total * lead, self.right / self._total * lead

    def replaced(self, now_ms: int, left: int, right: int, rate: float, accel: float) -> "Motion":
        """A new motion from its leading wheel's speed now; a wheel that must turn round stops at once."""
        was_left, was_right = self.speeds(now_ms)
        lead, was = (left, was_left) if abs(left) >= abs(right) else (right, was_right)
        speed = math.copysign(1, lead) * was
        if speed <= 0:
            return Motion(now_ms, left, right, rate, accel)
        whole = self._lead((now_ms - self.begun_ms) / 1000)
        return Motion(now_ms, left, right, rate, accel, speed, max(0.0, whole - int(whole + 1e-6)))

    def ramped_down(self, now_ms: int) -> "Motion":
        """The motion to standstill with this motion's acceleration, a little harder for a whole last step."""
        left, right = self.speeds(now_ms)
        lead = max(abs(left), abs(right))
        way = min(int(lead * lead / (2 * self.accel)), self._left_over(now_ms))
        if not lead or not way:
            return Motion(now_ms, 0, 0, 1, self.accel)
        return Motion(now_ms, round(way * left / lead), round(way * right / lead), lead, self.accel, lead)

    def _left_over(self, now_ms: int) -> int:
        return self._total - max(map(abs, self.steps(now_ms)))

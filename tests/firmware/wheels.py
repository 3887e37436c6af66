# Two stepper motors on eight pins of the fake board: where their rotors are, by their coils alone.
import machine

_HALF_STEPS = (1, 3, 2, 6, 4, 12, 8, 9)


class Wheels:
    # `log`: a list that gets us, left and right behind each step, or None.
    def __init__(self, pins, log=None):
        self.coils = 0
        self.log = log
        self.made = 0  # steps of both
        self._places = [0, 0]
        self._changed = None  # us of the last change, which is over when time has passed
        for bit in range(8):
            machine.line(pins[bit]).listeners.append(lambda us, level, bit=bit: self._change(us, level, bit))

    @property
    def left(self):
        self.settle()
        return self._places[0]

    @property
    def right(self):
        self.settle()
        return self._places[1]

    def _change(self, us, level, bit):
        if us != self._changed:
            self.settle()
        self._changed = us
        self.coils = self.coils & ~(1 << bit) | level << bit

    # Follow the coils to the next place; without current a rotor keeps its own.
    def settle(self):
        before = self.made
        for wheel in (0, 1):
            coils = self.coils >> 4 * wheel & 15
            if coils:
                way = (_HALF_STEPS.index(coils) - self._places[wheel]) & 7
                if way not in (0, 1, 7):
                    raise ValueError("a rotor cannot follow so far")
                self.made += way != 0
                self._places[wheel] += 1 if way == 1 else -1 if way else 0
        if self.made != before and self.log is not None:
            self.log.extend((self._changed, self._places[0], self._places[1]))

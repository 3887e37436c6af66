# Uploads containers to the whole firmware in an empty room of 4 m by 4 m, and prints what each block leaves.
# Standard input: one JSON list [limits, container in hexadecimal digits] a line.
import json
from binascii import unhexlify
from math import cos, pi, sin

from world import *

from llmvm import _isa as I
from llmvm import vm


class Room(World):
    def __init__(self):
        super().__init__()
        self.x = self.y = self.angle = 0.0
        self._left = self._right = 0
        self.each_ms = self._follow

    def _follow(self, _world):
        left, right = self.drive.left - self._left, self.drive.right - self._right
        if left or right:
            self._left, self._right = self.drive.left, self.drive.right
            self.angle += (right - left) * 5 / 10865 / 2
            self.x += (left + right) * 500 / 21730 * cos(self.angle)
            self.y += (left + right) * 500 / 21730 * sin(self.angle)

    def _free(self, direction):
        along, across = cos(direction), sin(direction)
        ways = [2000]
        for place, way in ((self.x, along), (self.y, across)):
            if abs(way) > 1e-9:
                ways.append(((2000 if way > 0 else -2000) - place) / way)
        return int(min(ways))

    @property
    def mm(self):
        return tuple(self._free(self.angle + n * pi / 180) for n in (0, 30, -30, 90, -90, 180))


def run(limits, data):
    world = Room()
    robot = Supervisor(world, limits, ANGLES)
    host = Host(world, robot)
    host.identify()
    verdict = host.upload(data)
    if verdict[1]:
        return verdict[1:]
    most = list(robot._blocks.find(block_of(data)).certificate)
    done = host.run(data, 10000000)
    used = [done.fuel, done.ms, done.path, done.rotation]
    reports = [unpack(I.EVENT_FORMAT, payload) for _, payload in host.of(I.F_EVENT)]
    state = robot._runner.state
    within = all(amount <= limit for amount, limit in zip(used, most))
    end = [done.outcome, done.code, done.trip, state[vm.MODE], within]
    return [end, reports, list(state[: 2 * vm.VARIABLES])]


for line in sys.stdin:
    limits, data = json.loads(line)
    print(json.dumps(run(limits, unhexlify(data))))

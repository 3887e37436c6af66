# What a block does behind a move, found out before the move has ended.
from array import array

from micropython import const

from llmvm import _isa, vm
from llmvm.motion import Gear

_WORDS = const(64)  # looked at


class Ahead:
    def __init__(self, limits):
        self.gear = Gear(limits)  # has the move that follows
        self.state = array("i", [0] * vm.STATE)  # and this is the machine's state where it starts
        self.across = False  # it is the queued block's

    # Whether another straight move follows, whatever is sensed and however the one that runs ends. The way
    # there is executed on a copy of the state; it leads no further than to a word that senses, that asks what
    # ended the move, or that takes time. Behind END the queued block goes on.
    def look(self, state, slot, queued, senses):
        ahead = self.state
        vm.copy(state, ahead)
        self.across = False
        for _ in range(_WORDS):
            op = slot.words[4 * ahead[vm.PC]]
            if op == _isa.OP_SENSE or op == _isa.OP_TRIP:
                return False
            ahead[vm.BUDGET] = 1
            code = vm.run(ahead, slot.words, slot.constants, senses)
            if code == _isa.OP_MOVE or code == _isa.OP_MOVER:
                self.gear.move(ahead[vm.ARGS], ahead[vm.ARGS + 1])
                return True
            if code == _isa.OP_END:
                if queued is None or self.across:
                    return False
                self.across, slot = True, queued
                vm.restart(ahead)
            elif code and code != _isa.OP_LED and code != _isa.OP_TONE and code != _isa.OP_REPORT:
                return False
        return False

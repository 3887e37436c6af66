# Starts the virtual board: its flash becomes the file system, then everything goes on as on a board.
import os
import sys

import machine
import repl
import vfs

_BLOCK = 4096
_SOFT_RESET = 66  # exit status, one more where the REPL is raw


# The partition of a flash file that is the board's file system.
class Flash:
    def __init__(self, path, offset, size):
        self._file = open(path, "r+b")
        self._offset, self._blocks = offset, size // _BLOCK

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(self._offset + block * _BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self._erase(block)
            offset = 0
        self._file.seek(self._offset + block * _BLOCK + offset)
        self._file.write(buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return _BLOCK
        if operation == 6:
            self._erase(argument)
        return 0

    def _erase(self, block):
        self._file.seek(self._offset + block * _BLOCK)
        self._file.write(b"\xff" * _BLOCK)


# Make `size` bytes at `offset` of the flash file the root, formatted where they are no file system; the
# machine's own files are out of reach from here on.
def mount(path, offset, size):
    flash = Flash(path, offset, size)
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(flash, progsize=256, readsize=256, lookahead=32), "/")
    except OSError:
        vfs.VfsLfs2.mkfs(flash, progsize=256, readsize=256, lookahead=32)
        vfs.mount(vfs.VfsLfs2(flash), "/")
        with open("boot.py", "w") as file:
            file.write("# This file is executed on every boot (including wake-boot from deepsleep)\n")
    os.chdir("/")


# From the reset to the next soft reset.
def start(path, offset, size, mac, raw):
    machine.mac = mac
    mount(path, offset, size)
    sys.path[:] = ["", ".frozen", "/lib"]
    for name in ("startup", "repl"):
        sys.modules.pop(name, None)
    main = __import__("__main__").__dict__
    main.clear()
    main["__name__"] = "__main__"
    repl.end(_SOFT_RESET + repl.run(raw))

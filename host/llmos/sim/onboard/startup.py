# Starts the virtual board: its flash becomes the file system, then everything goes on as on a board.
import os
import sys

import esp  # noqa: F401  # so that it is there when this folder is not any more
import flash
import machine
import repl
import vfs

_SOFT_RESET = 66  # exit status, one more where the REPL is raw


# Make `size` bytes at `offset` of the flash file the root, formatted where they are no file system; the
# machine's own files are out of reach from here on.
def mount(path, offset, size):
    partition = flash.Flash(path, offset, size)
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(partition, progsize=256, readsize=256, lookahead=32), "/")
    except OSError:
        vfs.VfsLfs2.mkfs(partition, progsize=256, readsize=256, lookahead=32)
        vfs.mount(vfs.VfsLfs2(partition), "/")
        with open("boot.py", "w") as file:
            file.write("# This file is executed on every boot (including wake-boot from deepsleep)\n")
    os.chdir("/")


# From the reset to the next soft reset.
def start(path, offset, size, mac, raw):
    machine.mac = mac
    mount(path, offset, size)
    sys.path[:] = ["", ".frozen", "/lib"]
    for name in ("startup", "repl", "flash"):
        sys.modules.pop(name, None)
    main = __import__("__main__").__dict__
    main.clear()
    main["__name__"] = "__main__"
    repl.end(_SOFT_RESET + repl.run(raw))

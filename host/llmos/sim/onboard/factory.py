# Fills a board's flash with files, as the factory would.
import os

from startup import mount

_FOLDER = 0x4000  # in the type that ilistdir tells


def _read(folder, name, files):
    for found, kind, *_ in os.ilistdir(folder + name):
        if kind == _FOLDER:
            files[name + "/" + found] = None
            _read(folder, name + "/" + found, files)
        else:
            with open(folder + name + "/" + found, "rb") as file:
                files[name + "/" + found] = file.read()


# Copy what is in a folder of this machine to the root of the flash.
def install(path, offset, size, folder):
    files = {}
    _read(folder, "", files)
    mount(path, offset, size)
    for name in sorted(files):
        if files[name] is None:
            os.mkdir(name)
        else:
            with open(name, "wb") as file:
                file.write(files[name])

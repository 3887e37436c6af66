# What a board's tools ask of `esp`.


def flash_size():
    return 8 << 20

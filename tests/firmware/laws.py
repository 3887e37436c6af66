# What every check of the firmware begins with: say whether a law holds, and that the end was reached.
failures = 0


def check(name, actual, expected):
    global failures
    if actual == expected:
        print("ok", name)
    else:
        failures += 1
        print("FAIL", name, "is", actual, "and should be", expected)


# The last line of every program, so that one that stops early is seen.
def finish():
    print("end", failures)

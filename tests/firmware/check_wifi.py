# Wi-Fi: HMAC, when it is off, joining a network that comes and goes, pairing, and a host that does not keep
# up. Time is what the test says; sockets are real.
import select
import socket
import sys
from binascii import hexlify

sys.path.insert(0, "firmware")

import micropython
from laws import check, finish

from llmvm.hal import wifi as module


class WLAN:
    IF_STA = 0
    made = []

    def __init__(self, interface):
        WLAN.made.append(self)
        self.joined = self.broken = False
        self.said = []

    def active(self, on):
        self.said.append("active")

    def connect(self, ssid, password):
        self.said.append((now, ssid, password))
        if self.broken:
            raise OSError("Wifi Internal Error")

    def disconnect(self):
        self.said.append("disconnect")

    def isconnected(self):
        return self.joined


class Network:
    WLAN = WLAN


sys.modules["network"] = Network
KEY = "sixteen letters!"
now = 0

# RFC 4231, cases 1, 2, 3, 6 and 7.
for key, message, expected in (
    (b"\x0b" * 20, b"Hi There", b"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (b"\xaa" * 20, b"\xdd" * 50, b"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        b"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        b"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
):
    check(f"HMAC {len(key)} {len(message)}", hexlify(module.hmac(module.pads(key), message)), expected)
check("what is the same", module.same(b"abc", b"abc"), True)
check(
    "what is not",
    [module.same(b"abc", other) for other in (b"abd", b"xbc", b"ab", b"abcd", b"")],
    [False] * 5,
)

# A port that is free, since somebody is refused there.
port = 40000
while True:
    probe = socket.socket()
    try:
        probe.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
        probe.close()
        break
    except OSError:
        probe.close()
        port += 1
PARTS = {"wifi": {"ssid": "home", "port": port}}
ADDRESS = socket.getaddrinfo("127.0.0.1", port)[0][-1]


def connect():
    client = socket.socket()
    try:
        client.connect(ADDRESS)
    except OSError:
        client.close()
        return None
    client.setblocking(False)
    return client


# Off where anything is missing.
for name, parts, secrets in (
    ("no [wifi]", {"wifi": None}, {"wifi_password": "pw", "pairing_key": KEY}),
    ("no secrets", PARTS, None),
    ("no key", PARTS, {"wifi_password": "pw"}),
    ("an empty key", PARTS, {"wifi_password": "pw", "pairing_key": None}),
    ("a short key", PARTS, {"wifi_password": "pw", "pairing_key": KEY[1:]}),
):
    wifi = module.Wifi(parts, secrets)
    for now in range(0, 60000, 500):
        wifi.poll(now)
    wifi.write(b"x", 1)
    off = WLAN.made, connect(), wifi.paired, wifi.readinto(bytearray(9))
    check(name, off, ([], None, False, 0))

# The network is asked for at once, then every fifteen seconds, and whenever it has gone.
wifi = module.Wifi(PARTS, {"wifi_password": "pw", "pairing_key": KEY})
wlan = WLAN.made[0]
for now in range(0, 31000, 10):
    wifi.poll(now)
asked = (0, "home", "pw"), "disconnect", (15000, "home", "pw"), "disconnect", (30000, "home", "pw")
check("asked for", wlan.said, ["active"] + list(asked))
check("nobody listens before it is there", connect(), None)
wlan.joined = True
now += 500
wifi.poll(now)
wlan.joined, wlan.broken, wlan.said = False, True, []
begun = now
for now in range(begun, begun + 40000, 500):
    wifi.poll(now)
times = [said[0] - begun for said in wlan.said if said != "disconnect"]
check("asked for again, though that fails", times, [15000, 30000])
wlan.joined, wlan.broken = True, False


# Let the robot look around for so long, in its own time.
def run(ms):
    global now
    end = now + ms
    while now < end:
        now += 10
        wifi.poll(now)


# What has come, or None once the robot has closed.
def hear(client, size=1000):
    ready = select.poll()
    ready.register(client, select.POLLIN)
    if not ready.poll(0):
        return b""
    try:
        return client.recv(size) or None
    except OSError:
        return None


# A host that knows the key.
def pair(key=KEY):
    client = connect()
    run(20)
    greeting = hear(client)
    if greeting is None or greeting[:8] != b"llmos-1\n":
        return client, greeting
    nonces = greeting[8:] + b"0123456789abcdef"
    pads = module.pads(key.encode())
    client.write(b"0123456789abcdef" + module.hmac(pads, b"llmos host\n" + nonces))
    run(20)
    return client, hear(client) == module.hmac(pads, b"llmos robot\n" + nonces)


run(1000)
host, proven = pair()
check("pairs", (proven, wifi.paired), (True, True))
host.write(b"hello")
buffer = bytearray(200)
check("bytes", (wifi.readinto(buffer), bytes(buffer[:5]), wifi.readinto(buffer)), (5, b"hello", 0))
wifi.write(b"and back.", 8)
check("and back", hear(host), b"and back")
run(4000)
second, answer = pair()
check("a second one is told so", answer, b"llmos-b\n")
check("and sent away", hear(second), None)
host.write(b"still")
check("the first one stays", (wifi.readinto(buffer), wifi.paired), (5, True))
run(5000)
second, proven = pair()
check("but not when it is silent", (proven, hear(host)), (True, None))
second.close()
run(20)
wifi.readinto(buffer)
check("gone", wifi.paired, False)

host, proven = pair("sixteen letters?")
check("a wrong key", (proven, wifi.paired), (False, False))
host.write(b"let me in")
run(900)
check("waits", (hear(host), wifi.readinto(buffer)), (b"", 0))
run(200)
check("and is sent away", hear(host), None)
silent = connect()
run(2900)
check("one that says nothing", len(hear(silent)), 24)
run(200)
check("is sent away", (hear(silent), wifi.paired), (None, False))

# A host that does not read: frames are lost whole, nobody waits, and the rest is in order.
host, proven = pair()
frame = bytearray(200)
sent = 0
while wifi.lost < 50:
    frame[0], frame[1] = sent & 0xFF, sent >> 8
    before = wifi.lost
    wifi.write(frame, 200)
    sent += wifi.lost == before
rest, whole = b"", 0
while True:
    some = hear(host, 20000)
    run(10)
    if not some and wifi._end == 0:
        break
    rest += some
    while len(rest) >= 200 and rest[0] | rest[1] << 8 == whole:
        rest, whole = rest[200:], whole + 1
check("whole frames in order", (rest, whole), (b"", sent))

# While a host is there, nothing allocates.
host.write(b"x" * 100)
view, size = memoryview(frame), 0
micropython.heap_lock()
size = wifi.readinto(buffer)
for _ in range(3):
    wifi.poll(now)
    wifi.write(view, 200)
    wifi.readinto(buffer)
micropython.heap_unlock()
check("without allocation", (size, len(hear(host))), (100, 600))
host.close()
run(20)
wifi.write(frame, 200)
wifi.write(frame, 200)
check("a host that has gone is no error", wifi.readinto(buffer), 0)
check("and makes room", pair()[1], True)
finish()

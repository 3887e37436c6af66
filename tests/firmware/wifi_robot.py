# A robot's Wi-Fi link with real sockets, a network that is made up, and what lives at the link's end: "echo"
# sends back to a host what it says, "drive" is the supervisor of the small world of the tests at the wall
# clock's pace. Arguments: the TCP port, the key, echo or drive. Each line of standard input is a number of ms
# that the robot's clock skips; it ends where that does.
import select
import sys
import time

sys.path.insert(0, "firmware")
sys.path.insert(0, "tests/firmware")

from llmvm.hal.wifi import Wifi  # which imports the network when it is opened


class WLAN:
    IF_STA = 0

    def __init__(self, interface):
        self._joined = False

    def active(self, on):
        pass

    def connect(self, ssid, password):
        self._joined = (ssid, password) == ("home", "secret word")

    def disconnect(self):
        self._joined = False

    def isconnected(self):
        return self._joined


class Network:
    WLAN = WLAN


# The wall clock, and what has been skipped.
class Clock:
    def __init__(self):
        self._begun = time.ticks_ms()
        self._skipped = 0
        self._lines = select.poll()
        self._lines.register(sys.stdin, select.POLLIN)

    def ms(self):
        if self._lines.poll(1):
            line = sys.stdin.readline()
            if not line:
                sys.exit()
            self._skipped += int(line)
        return time.ticks_diff(time.ticks_ms(), self._begun) + self._skipped


# Send back whatever comes.
def echo(wifi, clock):
    buffer = bytearray(256)
    while True:
        wifi.poll(clock.ms())
        size = wifi.readinto(buffer)
        while size:
            before = wifi.lost
            wifi.write(buffer, size)
            while wifi.lost > before and wifi.paired:  # the host does not keep up: try again
                before = wifi.lost
                time.sleep_ms(1)
                wifi.write(buffer, size)
            size = wifi.readinto(buffer)


# Supervise a robot whose wheels turn in real time.
def drive(wifi, clock):
    from world import ANGLES, LIMITS, Supervisor, World

    class Air(World):
        def advance(self, until):
            now = clock.ms()
            wifi.poll(now)
            while self.ms < now:
                self.ms += 1
                self.drive.tick()

    world = Air()
    world.serial = wifi
    supervisor = Supervisor(world, LIMITS, ANGLES)
    while True:
        supervisor.step()


sys.modules["network"] = Network
port, key, end = sys.argv[1:]
wifi = Wifi(
    {"wifi": {"ssid": "home", "port": int(port)}}, {"wifi_password": "secret word", "pairing_key": key}
)
{"echo": echo, "drive": drive}[end](wifi, Clock())

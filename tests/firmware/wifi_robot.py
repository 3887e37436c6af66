# A robot's Wi-Fi link with real sockets, a network that is made up, and what lives at the link's end: "echo"
# sends back to a host what it says, "drive" is the supervisor of the tests' small world at the wall clock's
# pace. Arguments: the TCP port, the key, how many of the robot's milliseconds pass in one, echo or drive. Ends
# when standard input does.
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


# Send back whatever comes.
def echo(wifi, pace, ended):
    buffer = bytearray(256)
    while not ended.poll(1):
        wifi.poll(time.ticks_ms() * pace)
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
def drive(wifi, pace, ended):
    from world import ANGLES, LIMITS, Supervisor, World

    class Air(World):
        def advance(self, until):
            time.sleep_ms(1)
            wifi.poll(time.ticks_ms() * pace)
            while self.ms < time.ticks_diff(time.ticks_ms(), began) * pace:
                self.ms += 1
                self.drive.tick()

    began = time.ticks_ms()
    world = Air()
    world.serial = wifi
    supervisor = Supervisor(world, LIMITS, ANGLES)
    while not ended.poll(0):
        supervisor.step()


sys.modules["network"] = Network
port, key, pace, end = sys.argv[1:]
parts = {"wifi": {"ssid": "home", "port": int(port)}}
ended = select.poll()
ended.register(sys.stdin, select.POLLIN)
{"echo": echo, "drive": drive}[end](
    Wifi(parts, {"wifi_password": "secret word", "pairing_key": key}), int(pace), ended
)

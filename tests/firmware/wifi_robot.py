# A robot's Wi-Fi link with real sockets and a network that is made up: what comes from a host that has paired
# goes back to it, byte for byte. Arguments: the TCP port, the key, how many of the robot's milliseconds pass
# in one. Ends when standard input does.
import select
import sys
import time

sys.path.insert(0, "firmware")

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


sys.modules["network"] = Network
port, key, pace = sys.argv[1:]
parts = {"wifi": {"ssid": "home", "port": int(port)}}
wifi = Wifi(parts, {"wifi_password": "secret word", "pairing_key": key})
ends = select.poll()
ends.register(sys.stdin, select.POLLIN)
buffer = bytearray(256)
sent = 0
while not ends.poll(1):
    wifi.poll(time.ticks_ms() * int(pace))
    size = wifi.readinto(buffer)
    while size:
        before = wifi.lost
        wifi.write(buffer, size)
        while wifi.lost > before and wifi.paired:  # the host does not keep up: try again
            before = wifi.lost
            time.sleep_ms(1)
            wifi.write(buffer, size)
        size = wifi.readinto(buffer)

# The link over Wi-Fi: the robot joins a network as a station and waits for one host at a TCP port. Before a
# byte reaches the link, host and robot prove to each other that they hold the same key (challenge and
# response by HMAC-SHA256, RFC 2104); what follows is not encrypted. All of it is off unless the manifest has
# [wifi] and secrets.json a key that is long enough.
#
#   robot  "llmos-1\n" and a nonce of 16 bytes, or "llmos-b\n" where it has a host, and closes
#   host   a nonce of 16 bytes, HMAC(key, "llmos host\n" + robot's nonce + host's nonce)
#   robot  HMAC(key, "llmos robot\n" + robot's nonce + host's nonce), or nothing, and closes a second later
#
# Polls, reads and writes allocate nothing while a host is there; a new host does, and what goes wrong does.
import select
import socket
from hashlib import sha256
from os import urandom

from micropython import const

_GREETING = b"llmos-1\n"
_BUSY = b"llmos-b\n"
_HOST = b"llmos host\n"
_ROBOT = b"llmos robot\n"
_NONCE = const(16)
_ANSWER = const(48)
_LEAST_KEY = const(16)
_BLOCK = const(64)  # bytes that SHA-256 works on

_ROOM = const(4096)  # less than the ESP32's TCP window of 5744 bytes
_BACKLOG = const(2048)  # bytes that wait to be sent; a frame that does not fit is lost, as on a cable
_LOOK_MS = const(500)  # between looks at the network
_JOIN_MS = const(15000)  # until the network is asked for again
_ANSWER_MS = const(3000)
_REFUSE_MS = const(1000)
_SILENT_MS = const(5000)  # a host that has been silent for so long makes room for another one

_TCP = const(6)
_NODELAY = const(1)

_NOBODY = const(0)
_ASKED = const(1)
_REFUSED = const(2)
_PAIRED = const(3)


# The key's two halves of HMAC: what is hashed before the message, and before the first hash.
def pads(key):
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    key = key + bytes(_BLOCK - len(key))
    return bytes(b ^ 0x36 for b in key), bytes(b ^ 0x5C for b in key)


def hmac(pads, message):
    inner = sha256(pads[0])
    inner.update(message)
    outer = sha256(pads[1])
    outer.update(inner.digest())
    return outer.digest()


# Whether two proofs are the same, in a time that does not tell where they differ.
def same(one, other):
    difference = len(one) ^ len(other)
    for at in range(min(len(one), len(other))):
        difference |= one[at] ^ other[at]
    return difference == 0


class Wifi:
    def __init__(self, parts, secrets):
        wifi = parts["wifi"]
        key = ((secrets or {}).get("pairing_key") or "").encode()
        self.room = _ROOM
        self.paired = False  # whether there is a host, who has proved to hold the key
        self.lost = 0  # frames that did not fit
        self._wlan = self._server = self._client = None
        if not wifi or len(key) < _LEAST_KEY:
            return
        import network

        self._pads = pads(key)
        self._port = wifi["port"]
        self._network = wifi["ssid"], secrets.get("wifi_password") or ""
        self._poller = select.poll()
        self._answer = memoryview(bytearray(_ANSWER))
        self._backlog = bytearray(_BACKLOG)
        self._begin = self._end = 0  # of what waits in the backlog
        self._state = _NOBODY
        self._now = self._due = self._heard = self._asked = 0  # ms
        self._tried = None  # ms when the network was asked for
        try:
            self._wlan = network.WLAN(network.WLAN.IF_STA)
            self._wlan.active(True)
        except OSError:  # no radio, no link over it
            self._wlan = None

    # Look after the network, the host and what waits to be sent.
    def poll(self, now):
        if not self._wlan:
            return
        self._now = now
        if now >= self._due:
            self._due = now + _LOOK_MS
            self._join(now)
        if self._server:
            for _ in self._poller.ipoll(0):
                self._accept(now)
        if self._state == _PAIRED:
            self._flush()
        elif self._state != _NOBODY:
            self._pair(now)

    # Ask for the network, again where it has not come; listen once it is there.
    def _join(self, now):
        try:
            if self._wlan.isconnected():
                self._tried = now
                if not self._server:
                    self._listen()
            elif self._tried is None or now - self._tried >= _JOIN_MS:
                again, self._tried = self._tried is not None, now
                if again:
                    self._wlan.disconnect()
                self._wlan.connect(*self._network)
        except OSError:
            pass  # the next look tries again

    def _listen(self):
        server = socket.socket()
        try:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(socket.getaddrinfo("0.0.0.0", self._port)[0][-1])
            server.listen(2)
            server.setblocking(False)
        except OSError:
            server.close()
            raise
        self._server = server
        self._poller.register(server, select.POLLIN)

    # Take the next host, or tell it that there is one.
    def _accept(self, now):
        try:
            client = self._server.accept()[0]
        except OSError:  # it has gone again
            return
        client.setblocking(False)
        if self._state == _PAIRED and now - self._heard >= _SILENT_MS:
            self._drop()
        try:
            if self._state != _NOBODY:
                client.write(_BUSY)
                client.close()
                return
            client.setsockopt(_TCP, _NODELAY, 1)
            self._nonce = urandom(_NONCE)
            client.write(_GREETING + self._nonce)
        except OSError:
            client.close()
            return
        self._client, self._state = client, _ASKED
        self._filled = 0
        self._asked = now

    # Go on with the pairing: collect the answer, or wait for the end of a refusal.
    def _pair(self, now):
        if now - self._asked >= (_ANSWER_MS if self._state == _ASKED else _REFUSE_MS):
            self._drop()
        elif self._state == _ASKED:
            try:
                size = self._client.readinto(self._answer[self._filled :])
                if size == 0:
                    self._drop()
                elif size:
                    self._filled += size
                    if self._filled == _ANSWER:
                        self._judge(now)
            except OSError:
                self._drop()

    def _judge(self, now):
        nonces = self._nonce + self._answer[:_NONCE]
        if not same(hmac(self._pads, _HOST + nonces), self._answer[_NONCE:]):
            self._state = _REFUSED
            self._asked = now
            return
        self._client.write(hmac(self._pads, _ROBOT + nonces))
        self._begin = self._end = 0
        self._heard = now
        self._state = _PAIRED
        self.paired = True

    def _drop(self):
        self._client.close()
        self._client = None
        self._state = _NOBODY
        self.paired = False

    # Take what has arrived from the host; returns the number of bytes.
    def readinto(self, buffer):
        if not self.paired:
            return 0
        try:
            size = self._client.readinto(buffer)
        except OSError:
            size = 0
        if size == 0:
            self._drop()
        elif size:
            self._heard = self._now
        return size or 0

    # Send the buffer's first bytes, all of them or, where the host does not keep up, none.
    def write(self, buffer, size):
        if not self.paired:
            return
        self._flush()
        if not self.paired:
            return
        if self._end + size > _BACKLOG:
            self.lost += 1
            return
        sent = 0 if self._end else self._send(buffer, 0, size)
        for at in range(sent, size):
            self._backlog[self._end] = buffer[at]
            self._end += 1

    # Send what waits.
    def _flush(self):
        if self._end:
            self._begin += self._send(self._backlog, self._begin, self._end - self._begin)
            if self._begin == self._end:
                self._begin = self._end = 0

    # Hand over as many bytes as go without waiting, and return how many.
    def _send(self, buffer, at, size):
        try:
            return self._client.write(buffer, at, size) or 0
        except OSError:
            self._drop()
            return size  # it needs no more

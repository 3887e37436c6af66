"""The host's half of the link over Wi-Fi: each end proves to the other that it holds the robot's key.

    robot  "llmos-1" LF and a nonce of 16 bytes, or "llmos-b" LF where it has a host, and closes
    host   a nonce of 16 bytes, HMAC(key, "llmos host" LF + robot's nonce + host's nonce)
    robot  HMAC(key, "llmos robot" LF + robot's nonce + host's nonce), or nothing, and closes a second later

HMAC is RFC 2104's with SHA-256. What follows is the link, not encrypted.
"""

import hmac
import os
import secrets
import select
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import serial

from llmos.link.errors import LinkError
from llmos.resources import state_dir

SCHEME = "tcp://"
PORT = 3333  # where the URL names none; the manifest's default, too
LEAST_KEY = 16  # bytes
_GREETING = b"llmos-1\n"
_BUSY = b"llmos-b\n"
_HOST = b"llmos host\n"
_ROBOT = b"llmos robot\n"
_NONCE = 16  # bytes
_PROOF = 32  # bytes
_PATIENCE_S = 5.0

_UNREACHABLE = "nobody answers there ({}); see that the robot is on and in this network"
_STRANGER = "what answers there is no robot of ours; correct the address"
_SILENT = "it is there and says nothing; see that nobody else is pairing with it, then try again"
_TAKEN = "another host is connected to it; end that one, then try again"
_REFUSED = "the robot refuses the key of {}; give both the same one (`llmos flash --pairing-key`)"
_IMPOSTOR = "it cannot prove to hold the key of {}, so it is not your robot; correct the address"


def pairing_key() -> tuple[bytes, str]:
    """Return the robot's key and where it comes from: LLMOS_KEY, or the state folder's file `key`.

    Raises:
        LinkError: there is none, it is too short, or others may read the file.
    """
    source, text = "LLMOS_KEY", os.environ.get("LLMOS_KEY")
    if text is None:
        path = state_dir() / "key"
        source, text = str(path), _read(path)
    key = text.strip().encode()
    if len(key) < LEAST_KEY:
        raise LinkError(f"the key in {source} has {len(key)} bytes; a robot's has at least {LEAST_KEY}")
    return key, source


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise LinkError(f"the key {path} can be read by others: run `chmod 600 {path}`")
            return file.read(1024)
    except FileNotFoundError:
        raise LinkError(
            f"no key for a robot in the network: set LLMOS_KEY, or write the key to {path} and `chmod 600` it"
        ) from None
    except (LinkError, UnicodeDecodeError, OSError) as error:
        if isinstance(error, LinkError):
            raise
        raise LinkError(f"the key {path} cannot be read ({error}); write it again") from None


class TcpLine:
    """A TCP connection with what `Port` needs of a serial line; it never waits for bytes."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over a connection."""
        connection.setblocking(False)
        self._socket = connection

    def fileno(self) -> int:
        """Return the file descriptor, for select."""
        return self._socket.fileno()

    def read(self, size: int) -> bytes:
        """Return the bytes that have arrived, at most `size`; OSError once the other end has closed."""
        try:
            data = self._socket.recv(size)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError("closed")
        return data

    def write(self, data: bytes) -> None:
        """Send all bytes; SerialTimeoutException where the other end takes none for some seconds."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                if not select.select([], [self._socket], [], _PATIENCE_S)[1]:
                    raise serial.SerialTimeoutException("no room") from None

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def paired_line(url: str) -> TcpLine:
    """Connect to the robot at `tcp://HOST[:PORT]` and have both ends prove that they hold the key.

    Raises:
        LinkError: there is no key, nobody answers, it is no robot, it has a host, or the keys differ.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, 0
    if not host:
        raise LinkError(f"port {url}: it names no host; write tcp://HOST or tcp://HOST:PORT")
    try:
        key, source = pairing_key()
    except LinkError as error:
        raise LinkError(f"port {url}: {error}") from None
    try:
        connection = socket.create_connection((host, port), timeout=_PATIENCE_S)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LinkError(f"port {url}: {_UNREACHABLE.format(reason)}") from None
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        problem = _prove(connection, key)
    except BaseException:
        connection.close()
        raise
    if problem:
        connection.close()
        raise LinkError(f"port {url}: {problem.format(source)}")
    return TcpLine(connection)


def _prove(connection: socket.socket, key: bytes) -> str:
    """Return what has gone wrong, or "" when each end has believed the other."""
    greeting = _receive(connection, len(_GREETING))
    if greeting == _BUSY:
        return _TAKEN
    if greeting != _GREETING:
        return _STRANGER if greeting else _SILENT
    challenge = _receive(connection, _NONCE)
    if len(challenge) < _NONCE:
        return _STRANGER
    nonces = challenge + secrets.token_bytes(_NONCE)
    try:
        connection.sendall(nonces[_NONCE:] + hmac.digest(key, _HOST + nonces, "sha256"))
    except OSError:
        return _SILENT
    proof = _receive(connection, _PROOF)
    if not proof:
        return _REFUSED
    return "" if hmac.compare_digest(proof, hmac.digest(key, _ROBOT + nonces, "sha256")) else _IMPOSTOR


def _receive(connection: socket.socket, size: int) -> bytes:
    """Return `size` bytes, or what has come of them when the other end closes or the time is over."""
    data, end = b"", time.monotonic() + _PATIENCE_S
    while len(data) < size:
        left = end - time.monotonic()
        if left <= 0 or not select.select([connection], [], [], left)[0]:
            break
        try:
            some = connection.recv(size - len(data))
        except OSError:
            break
        if not some:
            break
        data += some
    return data

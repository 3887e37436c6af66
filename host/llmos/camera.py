"""A camera in the network, such as an ESP32-CAM: single JPEGs, or a stream (`multipart/x-mixed-replace`).

The stream's form is RFC 2046's multipart with one part for each picture. Cameras differ in what they leave
out, so a part ends at its Content-Length or, without one, at the next boundary.
"""

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from llmos.errors import LlmosError

MOST_BYTES = 4 * 1024 * 1024  # of one picture
_MOST_LINE = 1024  # bytes
_MOST_LINES = 32  # of a part's head
_PIECE = 16384  # bytes of one read
_SILENT_S = 5.0  # without a byte, the camera has gone
_STALLED_S = 10.0  # without a picture, too
_FIRST_PAUSE_S = 0.25  # before the next try; doubled each time that brings no picture
_LAST_PAUSE_S = 8.0
_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"  # of a JPEG
_CONTENT_TYPE = re.compile(
    r'\s*multipart/[\w.-]+\s*(?:;.*)?;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))\s*(?:;.*)?',
    re.I | re.S,
)


class CameraError(LlmosError):
    """A camera that cannot be reached, or sends something else than pictures."""


class Picture(NamedTuple):
    """A picture as the camera sent it, with its age in s."""

    jpeg: bytes
    age_s: float


class Parts:
    """Takes a stream apart, however it is cut into pieces; holds no more than one picture and one piece."""

    def __init__(self, content_type: str) -> None:
        """Begin with what the stream says that it is; CameraError where it is none of parts."""
        match = _CONTENT_TYPE.fullmatch(content_type)
        if not match:
            raise CameraError(
                f"it sends {content_type[:60]!r}, no multipart/x-mixed-replace; name the stream's address"
            )
        name: str = match[1] or match[2]
        self._boundary = b"--" + name.removeprefix("--").encode("latin-1", "replace")
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer that hold no boundary
        self._skipped = 0  # bytes since the last picture that belonged to none
        self._lines = 0  # of the head
        self._size = -1  # of the body, where the head names it
        self._state: Callable[[list[bytes]], bool] = self._seek
        self.ended = False  # by the last boundary
        self.broken = 0  # pictures that were cut off

    def feed(self, data: bytes) -> list[bytes]:
        """Take some bytes of the stream and return the JPEGs that they complete.

        Raises:
            CameraError: the stream is none of JPEGs, or one is larger than MOST_BYTES.
        """
        self._buffer += data
        found: list[bytes] = []
        while not self.ended and self._state(found):
            pass
        return found

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched = 0
        return data

    def _find(self) -> int:
        """Return where the boundary begins, or -1."""
        at = self._buffer.find(self._boundary, max(0, self._searched - len(self._boundary)))
        self._searched = len(self._buffer)
        return at

    def _seek(self, found: list[bytes]) -> bool:
        """Skip to behind the next boundary."""
        at = self._find()
        gone = at if at >= 0 else max(0, len(self._buffer) - len(self._boundary))
        self._skipped += gone
        if self._skipped > MOST_BYTES:
            raise CameraError(f"its boundary {self._boundary.decode('latin-1')!r} does not come; restart it")
        self._take(gone)
        if at >= 0:
            self._take(len(self._boundary))
            self._lines, self._size, self._state = 0, -1, self._head
        return at >= 0

    def _head(self, found: list[bytes]) -> bool:
        """Read a line of the head; the first one is the boundary's rest."""
        end = self._buffer.find(b"\n")
        if max(end, len(self._buffer) if end < 0 else 0) > _MOST_LINE or self._lines > _MOST_LINES:
            raise CameraError("the head of a part is too long to be one; restart it")
        if end < 0:
            return False
        line = self._take(end + 1).strip()
        self._lines += 1
        if self._lines == 1:
            self.ended = line.startswith(b"--")
        elif not line:
            self._state = self._body
        elif line.lower().startswith(b"content-length:"):
            self._size = _size(line.partition(b":")[2])
        return True

    def _body(self, found: list[bytes]) -> bool:
        """Take a whole picture."""
        size = self._size
        if size < 0:
            size = self._find()
            if max(size, len(self._buffer) if size < 0 else 0) > MOST_BYTES + len(self._boundary):
                raise CameraError(
                    f"a picture has more than {MOST_BYTES} bytes; set the camera to smaller ones"
                )
        if size < 0 or len(self._buffer) < size:
            return False
        data = self._take(size).rstrip(b"\0\r\n")
        if data and not data.startswith(_BEGIN):
            raise CameraError(f"a part begins with {data[:4].hex(' ')}, which is no JPEG; set it to MJPEG")
        if data.endswith(_END):
            found.append(data)
            self._skipped = 0
        else:
            self.broken += 1
            self._skipped += size
        self._state = self._seek
        return True


def _size(value: bytes) -> int:
    text = value.strip()
    if not re.fullmatch(rb"[0-9]{1,12}", text):
        raise CameraError(f"a part's Content-Length is {text[:20]!r}; restart the camera")
    if int(text) > MOST_BYTES:
        raise CameraError(
            f"a picture of {int(text)} bytes comes, the most is {MOST_BYTES}; set the camera to smaller ones"
        )
    return int(text)


def take_picture(url: str) -> Picture:
    """Return one picture from an address such as `http://HOST/capture`.

    Raises:
        CameraError: the camera cannot be reached, or answers something else than a JPEG.
    """
    secure, host, port, target = address(url)
    connection = connect(secure, host, port)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        if response.status != 200:
            raise CameraError(
                f"camera {url}: it answers {response.status} {response.reason}; correct the address"
            )
        jpeg = response.read(MOST_BYTES + 1).rstrip(b"\0\r\n")
    except (OSError, http.client.HTTPException) as error:
        text = str(error) or type(error).__name__
        raise CameraError(
            f"camera {url}: {text.splitlines()[0]}; see that it is on and in this network"
        ) from None
    finally:
        connection.close()
    if len(jpeg) > MOST_BYTES or not (jpeg.startswith(_BEGIN) and jpeg.endswith(_END)):
        raise CameraError(f"camera {url}: it sends {jpeg[:4].hex(' ')} …, which is no JPEG; set it to JPEG")
    return Picture(jpeg, 0.0)


def address(url: str) -> tuple[bool, str, int | None, str]:
    """Return whether an address is a secure one, its host, port and target.

    Raises:
        CameraError: it is no http address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise CameraError(f"camera {url!r}: name it like http://HOST:81/stream")
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return parts.scheme == "https", host, port, target


def connect(secure: bool, host: str, port: int | None) -> http.client.HTTPConnection:
    """Return a connection that is not open yet and gives up when nothing comes."""
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    return kind(host, port, timeout=_SILENT_S)


class PictureSource:
    """Where a run's pictures come from: a camera that is known only while the robot is connected."""

    def __init__(self) -> None:
        self._take: Callable[[], Picture | None] | None = None
        self._problem: Callable[[], str] = lambda: "no camera is open"

    @contextmanager
    def still(self, url: str) -> Iterator[None]:
        """Ask for each picture when it is wanted, as where time stands still meanwhile."""
        self._take = lambda: take_picture(url)
        try:
            yield
        finally:
            self._take = None

    @contextmanager
    def stream(self, url: str) -> Iterator[None]:
        """Follow a stream, whose newest picture is always at hand.

        Raises:
            CameraError: no picture comes in the first seconds.
        """
        with Camera(url) as camera:
            end = time.monotonic() + _SILENT_S
            while camera.newest() is None and time.monotonic() < end:
                time.sleep(0.05)
            if camera.newest() is None:
                raise CameraError(camera.problem)
            self._take, self._problem = camera.newest, lambda: camera.problem
            try:
                yield
            finally:
                self._take = None

    def __call__(self) -> tuple[bytes | None, int, str]:
        """Return a JPEG, or None; its age in ms; and why there is none."""
        try:
            picture = self._take() if self._take else None
        except CameraError as error:
            return None, 0, str(error)
        if picture is None or picture.age_s > _STALLED_S:
            return None, 0, self._problem()
        return picture.jpeg, round(1000 * picture.age_s), ""


class Camera:
    """Follows a stream in a thread of its own, again and again until it is closed."""

    def __init__(self, url: str) -> None:
        """Begin to follow the stream at `url`; CameraError where it is no http address."""
        self._secure, self._host, self._port, self._target = address(url)
        self.url = url
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._socket: socket.socket | None = None
        self._jpeg = b""
        self._at = 0.0  # monotonic s when the newest picture had come
        self.count = 0  # pictures so far
        self.problem = f"camera {url}: no picture has come yet"  # "" while pictures come
        self._thread = threading.Thread(target=self._follow, name="camera", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the camera, which is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the camera."""
        self.close()

    def newest(self) -> Picture | None:
        """Return the newest picture, or None as long as there is none; `problem` says why."""
        with self._lock:
            return Picture(self._jpeg, time.monotonic() - self._at) if self.count else None

    def close(self) -> None:
        """End the thread and the connection."""
        self._closed.set()
        with self._lock:
            if self._socket:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(1.0)  # one that still waits for a connection ends by itself

    def _follow(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._closed.is_set():
            before = self.count
            try:
                self._watch()
            except CameraError as error:
                self._fail(str(error))
            except (OSError, http.client.HTTPException) as error:
                text = str(error) or type(error).__name__
                self._fail(f"{text.splitlines()[0]}; see that it is on and in this network")
            pause = _FIRST_PAUSE_S if self.count > before else pause
            self._closed.wait(pause)
            pause = min(2 * pause, _LAST_PAUSE_S)

    def _fail(self, reason: str) -> None:
        self.problem = f"camera {self.url}: {reason}"

    def _watch(self) -> None:
        """Follow one connection until it fails."""
        connection = connect(self._secure, self._host, self._port)
        try:
            connection.connect()
            with self._lock:
                self._socket = connection.sock
            if self._closed.is_set():
                return
            connection.request("GET", self._target)
            response = connection.getresponse()
            if response.status != 200:
                raise CameraError(f"it answers {response.status} {response.reason}; correct the address")
            self._receive(response)
        finally:
            with self._lock:
                self._socket = None
            connection.close()

    def _receive(self, response: http.client.HTTPResponse) -> None:
        parts = Parts(response.headers.get("Content-Type", ""))
        last = time.monotonic()
        while not parts.ended:
            data = response.read1(_PIECE)
            if not data:
                break
            for jpeg in parts.feed(data):
                last = time.monotonic()
                with self._lock:
                    self._jpeg, self._at, self.count, self.problem = jpeg, last, self.count + 1, ""
            if time.monotonic() - last > _STALLED_S:
                raise CameraError(f"no picture for {_STALLED_S:g} s, though it sends; restart it")
        if not self._closed.is_set():
            raise CameraError("it has ended the stream; it is asked again")

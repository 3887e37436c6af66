"""A camera's stream: however it is cut, however it is broken, and whatever becomes of its server."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos import camera as module
from llmos.camera import MOST_BYTES, Camera, CameraError, Parts

WAIT_S = 20.0  # for what comes at once on a machine that is not busy
TYPE = "multipart/x-mixed-replace; boundary=frame"
OK = f"HTTP/1.1 200 OK\r\nContent-Type: {TYPE}\r\n\r\n".encode()


def jpeg(number: int, size: int = 200) -> bytes:
    """Return what begins and ends as a JPEG does."""
    return b"\xff\xd8" + number.to_bytes(4, "big") + bytes(number % 251 for _ in range(size)) + b"\xff\xd9"


def part(data: bytes, length: bool = True, boundary: bytes = b"--frame") -> bytes:
    """Return one part of a stream."""
    head = b"Content-Type: image/jpeg\r\n" + (b"Content-Length: %d\r\n" % len(data) if length else b"")
    return boundary + b"\r\n" + head + b"\r\n" + data + b"\r\n"


def taken(stream: bytes, cuts: list[int] | None = None, content_type: str = TYPE) -> list[bytes]:
    """Return the pictures of a stream that comes in pieces."""
    parts, found, at = Parts(content_type), [], 0
    for size in [*(cuts or []), len(stream)]:
        found += parts.feed(stream[at : at + size])
        at += size
    return found


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 600), st.booleans()), max_size=6),
    st.lists(st.integers(1, 300), max_size=60),
    st.binary(max_size=50).filter(lambda noise: b"--frame" not in noise),
)
def test_pictures_come_out_as_put_in(
    shots: list[tuple[int, int, bool]], cuts: list[int], noise: bytes
) -> None:
    """With and without a length, in whatever pieces, behind whatever comes before the first boundary."""
    stream = noise + b"\r\n" + b"".join(part(jpeg(number, size), length) for number, size, length in shots)
    expected = [jpeg(number, size) for number, size, _ in shots]
    assert taken(stream + b"--frame--\r\n", cuts) == expected


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (TYPE, b"--frame"),
        ('Multipart/X-Mixed-Replace;boundary="frame"', b"--frame"),
        ("multipart/x-mixed-replace; charset=x; boundary=frame; a=b", b"--frame"),
        ("multipart/x-mixed-replace;boundary=--frame", b"--frame"),  # some cameras name it with its hyphens
        (
            "multipart/x-mixed-replace;boundary=123456789000000000000987654321",
            b"--123456789000000000000987654321",
        ),
    ],
)
def test_ways_to_name_the_boundary(content_type: str, boundary: bytes) -> None:
    assert taken(part(jpeg(1), True, boundary) * 2, None, content_type) == [jpeg(1)] * 2


@pytest.mark.parametrize(
    "content_type", ["", "text/html", "image/jpeg", "multipart/x-mixed-replace", "multipart/x;boundary="]
)
def test_what_is_no_stream(content_type: str) -> None:
    with pytest.raises(CameraError, match="no multipart"):
        Parts(content_type)


def test_bare_line_feeds_and_bare_boundaries() -> None:
    stream = b"--frame\nContent-Type: image/jpeg\n\n" + jpeg(1) + b"--frame\n\n" + jpeg(2) + b"--frame\r\n"
    assert taken(stream) == [jpeg(1), jpeg(2)]


def test_nothing_comes_after_the_end() -> None:
    assert taken(part(jpeg(1)) + b"--frame--\r\n" + part(jpeg(2))) == [jpeg(1)]


def test_a_cut_picture_is_dropped_and_the_next_one_comes() -> None:
    """A length that is too small or too large, and a picture that ends in its middle."""
    short = part(jpeg(1)).replace(b"Length: 208", b"Length: 100")
    long = part(jpeg(2)).replace(b"Length: 208", b"Length: 230")
    cut = part(jpeg(3)[:50], length=False)
    for broken in (short, long, cut):
        parts = Parts(TYPE)
        found = parts.feed(part(jpeg(9)) + broken + part(jpeg(4)) + part(jpeg(5)) + b"--frame")
        assert found[0] == jpeg(9)
        assert found[-1] == jpeg(5)
        assert set(found) <= {jpeg(9), jpeg(4), jpeg(5)}
        assert parts.broken >= 1


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"--frame\r\nContent-Length: many\r\n\r\n", "Content-Length is b'many'"),
        (b"--frame\r\nContent-Length: -1\r\n\r\n", "Content-Length is b'-1'"),
        (b"--frame\r\nContent-Length: 99999999\r\n\r\n", "a picture of 99999999 bytes"),
        (b"--frame\r\n" + b"x" * 2000, "the head of a part is too long"),
        (b"--frame\r\n" + b"a: b\r\n" * 100, "the head of a part is too long"),
        (part(b"<html>no camera</html>"), "begins with 3c 68 74 6d, which is no JPEG"),
    ],
)
def test_bad_streams(stream: bytes, message: str) -> None:
    with pytest.raises(CameraError) as caught:
        taken(stream)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "begin", [b"", b"--frame\r\n\r\n\xff\xd8"], ids=["no boundary", "an endless picture"]
)
def test_memory_is_bounded(begin: bytes) -> None:
    parts = Parts(TYPE)
    parts.feed(begin)
    most = 0

    def endless() -> None:
        nonlocal most
        for _ in range(MOST_BYTES // 10_000):
            most = max(most, len(parts._buffer))
            parts.feed(bytes(16384))

    with pytest.raises(CameraError):
        endless()
    assert most <= MOST_BYTES + 2 * 16384


class Server:
    """Serves its script on each connection in turn, on one address; it can vanish and come back."""

    def __init__(self, *scripts: Callable[[socket.socket], None]) -> None:
        self.scripts, self.requests = list(scripts), []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self._address[1]}/stream?size=8"
        self._thread = self._start()

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._serve)
        thread.start()
        return thread

    def _serve(self) -> None:
        while True:
            try:
                peer = self._listener.accept()[0]
            except OSError:
                return
            with peer:
                try:
                    self.requests.append(peer.recv(4096))
                    script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                    script(peer)
                except OSError:
                    pass

    def vanish(self) -> None:
        """Close the address."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def come_back(self) -> None:
        """Open the same address again."""
        self._listener = socket.create_server(self._address)
        self._thread = self._start()


Serve = Callable[..., Server]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts servers; cameras try again soon."""
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "_LAST_PAUSE_S", 0.05)
    servers: list[Server] = []

    def start(*scripts: Callable[[socket.socket], None]) -> Server:
        servers.append(Server(*scripts))
        return servers[-1]

    yield start
    for server in servers:
        server.vanish()


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def says(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Serve these bytes, then close."""

    def script(peer: socket.socket) -> None:
        for piece in pieces:
            peer.sendall(piece)

    return script


def stays(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Serve these bytes, then stay until the camera goes."""

    def script(peer: socket.socket) -> None:
        says(*pieces)(peer)
        peer.recv(1)

    return script


def test_the_newest_picture_and_its_age(serve: Serve) -> None:
    server = serve(stays(OK, part(jpeg(1)), part(jpeg(2)), part(jpeg(3)), b"--frame\r\n"))
    with Camera(server.url) as camera:
        until(lambda: camera.count == 3)
        first = camera.newest()
        time.sleep(0.02)
        second = camera.newest()
        assert first
        assert second
        assert first.jpeg == second.jpeg == jpeg(3)
        assert 0 <= first.age_s < second.age_s - 0.01
        assert camera.problem == ""
    assert server.requests[0].startswith(b"GET /stream?size=8 HTTP/1.1\r\n")


def test_chunked_streams(serve: Serve) -> None:
    data = part(jpeg(1)) + part(jpeg(2)) + b"--frame--\r\n"
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(data[at : at + 37]), data[at : at + 37]) for at in range(0, len(data), 37)
    )
    head = OK.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    with Camera(serve(stays(head, chunks, b"0\r\n\r\n")).url) as camera:
        until(lambda: camera.count >= 2)
        newest = camera.newest()
        assert newest
        assert newest.jpeg == jpeg(2)


def test_a_camera_that_vanishes_and_comes_back(serve: Serve) -> None:
    server = serve(says(OK, part(jpeg(1)), b"--frame\r\n"), stays(OK, part(jpeg(2)), b"--frame\r\n"))
    camera = Camera(server.url)
    until(lambda: camera.count == 2)
    server.scripts[:] = [stays(OK, part(jpeg(3)), b"--frame\r\n")]
    with camera._lock:
        if camera._socket:
            camera._socket.shutdown(socket.SHUT_RDWR)  # somebody pulls the plug
    server.vanish()
    until(lambda: "refused" in camera.problem)
    old = camera.newest()
    assert old
    assert old.jpeg in (jpeg(2), jpeg(3))
    count = camera.count
    server.come_back()
    until(lambda: camera.count > count)
    assert camera.problem == ""
    camera.close()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (says(b"HTTP/1.1 404 Not Found\r\n\r\n"), "it answers 404 Not Found; correct the address"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"), "no multipart/x-mixed-replace"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n"), "no multipart/x-mixed-replace"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "SSH-2.0"),
        (says(), "see that it is on"),
        (says(OK), "ended the stream"),
        (says(OK, b"--frame\r\n" + b"x" * 2000), "the head of a part is too long"),
        (stays(OK, b"--frame\r\nContent-Length: 5000000\r\n\r\n"), "a picture of 5000000 bytes"),
        (stays(OK, b"\0" * (MOST_BYTES + 100_000)), "does not come"),
        (stays(OK, b"--frame\r\n\r\n\xff\xd8", b"\0" * (MOST_BYTES + 100_000)), "more than 4194304 bytes"),
    ],
)
def test_bad_servers(serve: Serve, script: Callable[[socket.socket], None], message: str) -> None:
    server = serve(script)
    with Camera(server.url) as camera:
        until(lambda: message in camera.problem)
        assert camera.problem.startswith(f"camera {server.url}: ")
        assert "\n" not in camera.problem
        assert camera.newest() is None


def test_a_slow_server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, and bytes that never become a picture, end a connection."""
    monkeypatch.setattr(module, "_SILENT_S", 0.05)
    with Camera(serve(stays(OK, part(jpeg(1)))).url) as camera:
        until(lambda: "timed out" in camera.problem)
    monkeypatch.setattr(module, "_SILENT_S", 5.0)
    monkeypatch.setattr(module, "_STALLED_S", 0.05)

    def trickle(peer: socket.socket) -> None:
        peer.sendall(OK)
        while True:
            peer.sendall(b"\0")
            time.sleep(0.005)

    with Camera(serve(trickle).url) as camera:
        until(lambda: "no picture for" in camera.problem)


def test_close_ends_the_thread_at_once(serve: Serve) -> None:
    camera = Camera(serve(stays(OK, part(jpeg(1)), b"--frame\r\n")).url)
    until(lambda: camera.count)
    camera.close()
    assert not camera._thread.is_alive()
    assert camera.newest()
    camera.close()


@pytest.mark.parametrize(
    "url", ["", "robot", "ftp://robot/stream", "http://", "http://:81/", "http://a:b/", "http://[/"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(CameraError, match="name it like http"):
        Camera(url)

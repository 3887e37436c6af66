"""The virtual robot's camera: pictures from where the body truly is, served as an ESP32-CAM serves its own.

`/capture` is one JPEG, `/stream` a multipart of them, `/status` JSON. A picture depends on the arena's time,
the body's place and the seed alone; to ask for one lets no time pass.
"""

import io
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from llmos.eyes.lens import Lens
from llmos.sim.rig import Moment
from llmos.sim.scene import Scene

NOISE = 4.0  # of a pixel's brightness, of 255
QUALITY = 85  # of the JPEGs
FRAME_S = 0.1  # between two pictures of a stream
BOUNDARY = "123456789000000000000987654321"  # the ESP32-CAM's own


class Photographer:
    """Takes pictures of an arena, with the sensor's noise."""

    def __init__(self, lens: Lens, seed: int) -> None:
        self.lens, self._seed = lens, seed
        self._lock = threading.Lock()
        self._scene: Scene | None = None
        self._arena: object = None
        self._last: tuple[Moment, bytes] | None = None

    def jpeg(self, moment: Moment) -> bytes:
        """Return the picture that is taken at a moment; the same for the same moment, to the byte."""
        with self._lock:
            if self._last is None or self._last[0] != moment:
                self._last = moment, self._take(moment)
            return self._last[1]

    def _take(self, moment: Moment) -> bytes:
        if self._scene is None or self._arena is not moment.arena:
            self._scene, self._arena = Scene(moment.arena, self.lens), moment.arena
        rgb = self._scene.view(moment.x, moment.y, moment.heading).rgb
        random = np.random.default_rng([self._seed, 3, moment.ms])
        noise = random.standard_normal(rgb.shape[:2], np.float32) * np.float32(NOISE)
        noisy = np.clip(rgb + noise[..., None], 0, 255).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(noisy).save(out, "JPEG", quality=QUALITY)
        return out.getvalue()


class CameraServer:
    """Serves pictures on 127.0.0.1 from threads of its own, until it is closed."""

    def __init__(self, photographer: Photographer, now: Callable[[], Moment]) -> None:
        """Begin to serve; `now` returns where the body is at present."""

        class Handler(_Handler):
            camera = photographer
            moment = staticmethod(now)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self.closing = threading.Event()
        super().__init__(*arguments)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone."""


class _Handler(BaseHTTPRequestHandler):
    camera: Photographer
    moment: Callable[[], Moment]
    server: _Server

    def do_GET(self) -> None:
        """Answer a request."""
        path = self.path.partition("?")[0]
        with suppress(OSError):  # the client has gone
            if path == "/capture":
                self._send("image/jpeg", self.camera.jpeg(self.moment()))
            elif path == "/status":
                self._send("application/json", self._status())
            elif path == "/stream":
                self._stream()
            else:
                self.send_error(404)

    def _status(self) -> bytes:
        width, height = self.camera.lens.size
        return json.dumps({"width": width, "height": height, "ms": self.moment().ms}).encode()

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace;boundary={BOUNDARY}")
        self.end_headers()
        while not self.server.closing.wait(FRAME_S):
            picture = self.camera.jpeg(self.moment())
            head = f"\r\n--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing of requests."""

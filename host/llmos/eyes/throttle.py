"""Which pictures are looked at: the newest, no more often than so many times a second, and none twice."""

import zlib

from llmos.camera import Picture


class Throttle:
    """A queue of one picture: a newer one drives the older out."""

    def __init__(self, per_s: float) -> None:
        """Let at most `per_s` pictures through in a second of robot time."""
        self.every_ms = round(1000 / per_s)
        self.dropped = 0
        self._waiting: Picture | None = None
        self._taken_ms: int | None = None
        self._digest = 0

    def offer(self, picture: Picture) -> None:
        """Put a picture into the queue; one that was looked at last is left out."""
        if zlib.crc32(picture.jpeg) == self._digest:
            return
        self.dropped += self._waiting is not None
        self._waiting = picture

    def due_ms(self, now_ms: int) -> int:
        """Return when the next picture may be taken, `now_ms` at the earliest."""
        return now_ms if self._taken_ms is None else max(now_ms, self._taken_ms + self.every_ms)

    def take(self, now_ms: int) -> Picture | None:
        """Return the picture to look at now, None where there is none or it is too soon."""
        if self._waiting is None or self.due_ms(now_ms) > now_ms:
            return None
        picture, self._waiting = self._waiting, None
        self._taken_ms, self._digest = now_ms, zlib.crc32(picture.jpeg)
        return picture

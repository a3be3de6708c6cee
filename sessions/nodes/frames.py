"""Messages over a stream of bytes: a greeting, then frames of `length, number, payload`.

TTFTOP-NODE 1\n     once; what a login script prints before it is passed over
>II                  bytes of the payload, and the number by which its answer is known
payload              as `sessions.nodes.messages` encodes it
"""

from __future__ import annotations

import struct

GREETING = b"TTFTOP-NODE 1\n"
MOST_BYTES = 16 << 20
"""Of a payload: a worker's configuration is the longest."""
MOST_NOISE_BYTES = 1 << 20
"""Before the greeting."""

_HEAD = struct.Struct(">II")


class FrameError(Exception):
    """What came is no stream of frames: one line."""


def framed(number: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), number) + payload


class Frames:
    """Bytes in as they come, whole frames out.

    `expect_greeting`: the stream begins with one, perhaps behind noise.
    """

    def __init__(self, *, expect_greeting: bool = False) -> None:
        self._data = bytearray()
        self._greeted = not expect_greeting

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are whole now: `(number, payload)`.

        Raises:
            FrameError: a payload is longer than any of ours, or there is no greeting.
        """
        self._data += data
        if not self._greeted and not self._pass_greeting():
            return []
        frames: list[tuple[int, bytes]] = []
        at = 0
        while len(self._data) - at >= _HEAD.size:
            length, number = _HEAD.unpack_from(self._data, at)
            if length > MOST_BYTES:
                raise FrameError(f"a message of {length} bytes, allowed are {MOST_BYTES}")
            end = at + _HEAD.size + length
            if len(self._data) < end:
                break
            frames.append((number, bytes(self._data[at + _HEAD.size : end])))
            at = end
        del self._data[:at]
        return frames

    def _pass_greeting(self) -> bool:
        at = self._data.find(GREETING)
        if at < 0:
            if len(self._data) > MOST_NOISE_BYTES:
                raise FrameError(f"{len(self._data)} bytes, and no greeting of an agent among them")
            return False
        del self._data[: at + len(GREETING)]
        self._greeted = True
        return True

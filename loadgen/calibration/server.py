"""A token server that says, on the monotonic clock, when it sent each token.

`python -m loadgen.calibration.server STAMPS_FILE` listens on a free port of 127.0.0.1 and prints it. A POST
to `/stream/TOKENS/INTERVAL_US` is answered by TOKENS events of one token, the k-th due (k + 1) intervals
after the request was read; each event is one HTTP chunk and one write. The usage event carries the stream's
number as `prompt_tokens`, by which a client's record is matched with the stamps.

STAMPS_FILE gets, for each stream that ended, a row of 64-bit integers: its number, the number of its tokens,
and for each the time just before the write. It ends when its stdin does.
"""

from __future__ import annotations

import gc
import heapq
import re
import selectors
import signal
import socket
import sys
from array import array
from typing import BinaryIO

from loadgen.clock import monotonic_ns

_TARGET = re.compile(rb"POST /stream/(\d{1,5})/(\d{1,8}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_SPIN_NS = 200_000
"""Deadlines nearer than this are waited for awake: sleeping is too coarse."""


def _chunk(event: bytes) -> bytes:
    body = b"data: " + event + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(body), body)


def _token(finish: bytes) -> bytes:
    return _chunk(
        b'{"id":"cmpl-0","object":"text_completion","created":1700000000,"model":"calibration","choices":'
        b'[{"index":0,"text":" token","logprobs":null,"finish_reason":' + finish + b"}]}"
    )


_TOKEN, _LAST = _token(b"null"), _token(b'"length"')


class _Stream:
    """One client's connection and the answer under way on it."""

    __slots__ = ("due_ns", "gone", "interval_ns", "left", "number", "received", "sock", "stamps")

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.received, self.gone = sock, b"", False
        self.left = self.number = self.due_ns = self.interval_ns = 0
        self.stamps = array("q")


class _Server:
    def __init__(self, stamps: BinaryIO) -> None:
        self._stamps = stamps
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._due: list[tuple[int, int, _Stream]] = []
        self._served = 0

    def run(self) -> None:
        """Serves until stdin ends."""
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, sys.stdin)
        while True:
            for key, _ in self._selector.select(self._wait_s()):
                if key.data is sys.stdin:
                    return
                if key.data is None:
                    self._accept()
                else:
                    self._on_readable(key.data)
            self._send_due()

    def _wait_s(self) -> float | None:
        if not self._due:
            return None
        wait_ns = self._due[0][0] - monotonic_ns()
        return 0.0 if wait_ns <= _SPIN_NS else (wait_ns - _SPIN_NS) / 1e9

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(sock, selectors.EVENT_READ, _Stream(sock))

    def _on_readable(self, stream: _Stream) -> None:
        try:
            data = stream.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(stream)
            return
        stream.received += data
        head, found, rest = stream.received.partition(b"\r\n\r\n")
        if not found:
            return
        target, length = _TARGET.match(head), _LENGTH.search(head + b"\r\n")
        if target is None or length is None:
            self._drop(stream)
        elif len(rest) >= int(length[1]):
            self._begin(stream, int(target[1]), int(target[2]) * 1000)

    def _begin(self, stream: _Stream, tokens: int, interval_ns: int) -> None:
        self._served += 1
        stream.received, stream.number = b"", self._served
        stream.left, stream.interval_ns = max(1, tokens), interval_ns
        stream.due_ns = monotonic_ns() + interval_ns
        stream.stamps = array("q")
        self._write(stream, _HEAD)
        heapq.heappush(self._due, (stream.due_ns, stream.number, stream))

    def _send_due(self) -> None:
        due = self._due
        while due and due[0][0] <= monotonic_ns():
            stream = due[0][2]
            stream.left -= 1
            stream.stamps.append(monotonic_ns())
            self._write(stream, _TOKEN if stream.left else _LAST)
            if stream.left and not stream.gone:
                stream.due_ns += stream.interval_ns
                heapq.heapreplace(due, (stream.due_ns, stream.number, stream))
            else:
                heapq.heappop(due)
                self._finish(stream)

    def _finish(self, stream: _Stream) -> None:
        tokens = len(stream.stamps)
        usage = b'{"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}' % (
            stream.number,
            tokens,
        )
        self._write(stream, _chunk(usage) + _chunk(b"[DONE]") + b"0\r\n\r\n")
        self._stamps.write(array("q", [stream.number, tokens]).tobytes() + stream.stamps.tobytes())
        self._stamps.flush()

    def _write(self, stream: _Stream, data: bytes) -> None:
        """A client that does not take its tokens is dropped: it has shown that it cannot keep up."""
        if stream.gone:
            return
        try:
            if stream.sock.send(data) == len(data):
                return
        except OSError:
            pass
        self._drop(stream)

    def _drop(self, stream: _Stream) -> None:
        if not stream.gone:
            stream.gone = True
            self._selector.unregister(stream.sock)
            stream.sock.close()


def read_stamps(data: bytes) -> dict[int, array[int]]:
    """The rows of a stamps file: stream number to the raw monotonic ns at which each token was sent."""
    values = array("q")
    values.frombytes(data[: len(data) // 8 * 8])
    found: dict[int, array[int]] = {}
    at = 0
    while at + 2 <= len(values) and at + 2 + values[at + 1] <= len(values):
        number, tokens = values[at], values[at + 1]
        found[number] = values[at + 2 : at + 2 + tokens]
        at += 2 + tokens
    return found


def main() -> int:
    # Ctrl-C is for the command that started us; its end is the end of our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    try:
        stamps = open(sys.argv[1], "wb")  # noqa: SIM115
    except FileNotFoundError:  # the command was interrupted, and its directory is gone
        return 1
    with stamps:
        server = _Server(stamps)
        print(server.port, flush=True)
        server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A byte-level server for tests: what it answers to each request is a script of bytes, pauses and ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence

FIN, RST, KEEP = "fin", "rst", "keep"
Step = bytes | float | str
"""Bytes are sent, a float is a pause in seconds, FIN and RST end the connection, KEEP waits for more."""
Script = Callable[[int, bytes], Sequence[Step]]
"""(number of the request on this server, its body) -> steps."""


def sse(*events: str) -> bytes:
    return b"".join(b"data: " + event.encode() + b"\n\n" for event in events)


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return body + (b"0\r\n\r\n" if end else b"")


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def token(text: str = "x", finish: str | None = None) -> str:
    reason = "null" if finish is None else f'"{finish}"'
    return f'{{"choices":[{{"index":0,"text":"{text}","finish_reason":{reason}}}]}}'


def usage(prompt: int, completion: int) -> str:
    return f'{{"choices":[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion}}}}}'


def good(tokens: int = 3, prompt: int = 8) -> list[Step]:
    """A whole, well-behaved answer of `tokens` tokens."""
    parts: list[Step] = [HEAD]
    parts += [chunked(sse(token()), end=False) for _ in range(tokens - 1)]
    parts.append(chunked(sse(token(finish="length")), sse(usage(prompt, tokens)), sse("[DONE]")))
    return parts


class RawServer:
    """`async with RawServer(script) as server`: `server.port`, `server.bodies`, `server.connections`."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self._script = script
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        before = -1
        while self.connections > before:  # Python 3.13 cannot close while a connection is being accepted
            before = self.connections
            for _ in range(8):
                await asyncio.sleep(0)
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                body = await reader.readexactly(length)
                number = len(self.bodies)
                self.heads.append(head)
                self.bodies.append(body)
                for step in self._script(number, body):
                    if isinstance(step, bytes):
                        writer.write(step)
                        await writer.drain()
                        await asyncio.sleep(0)
                    elif isinstance(step, float):
                        await asyncio.sleep(step)
                    elif step == RST:
                        sock = writer.get_extra_info("socket")
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        writer.transport.abort()
                        return
                    elif step == FIN:
                        return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

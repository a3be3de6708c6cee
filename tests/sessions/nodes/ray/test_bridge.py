"""The bridge without any Ray: what it answers where Ray fails or hangs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from sessions.nodes.frames import Frames, framed
from sessions.nodes.ray import bridge as bridge_module
from sessions.nodes.ray import words
from sessions.nodes.ray.bridge import Bridge

PATIENCE_S = 20.0
HANGS = """
import sys, threading
from sessions.nodes.ray import bridge

def hang(address):
    print("hangs", file=sys.stderr, flush=True)
    threading.Event().wait()

bridge.probe = hang
bridge.main()
"""


def answer(order: words.ToBridge) -> words.FromBridge:
    async def body() -> bytes:
        read, write = os.pipe()
        os.set_blocking(read, False)
        orders = asyncio.StreamReader()
        orders.feed_data(framed(0, words.encode(order)))
        orders.feed_eof()
        await Bridge(write).run(orders)
        try:
            while True:
                try:
                    return os.read(read, 1 << 16)
                except BlockingIOError:
                    await asyncio.sleep(0.01)
        finally:
            os.close(read)
            os.close(write)

    ((_, payload),) = Frames().feed(asyncio.run(asyncio.wait_for(body(), PATIENCE_S)))
    said: words.FromBridge = words.decode_answer(payload)
    return said


def test_whatever_ray_fails_with_is_answered_in_one_printable_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(address: str) -> None:
        raise RuntimeError("GCS said \x1b[2Jno\nand more")

    monkeypatch.setattr(bridge_module, "probe", fail)
    assert answer(words.Open("127.0.0.1:6379", [])) == words.Refused(
        "the Ray cluster at 127.0.0.1:6379 cannot be used (RuntimeError: GCS said \\x1b[2Jno); need one that "
        "works (ray status)"
    )


def test_a_question_that_cannot_be_asked_is_the_end_of_its_node() -> None:
    assert answer(words.Exchange(7, b"", 1.0)) == words.Lost(
        "Ray cannot be asked (IndexError); need a cluster that works (ray status)"
    )


def test_it_ends_with_its_stdin_also_while_ray_hangs_in_a_thread() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(framed(0, words.encode(words.Open("127.0.0.1:1", []))))
            process.stdin.flush()
            assert process.stderr.readline() == b"hangs\n"
            process.stdin.close()
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()

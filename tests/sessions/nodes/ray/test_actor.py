"""The actor as a plain object, and a real agent beside it: no Ray."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sessions.nodes.messages import (
    Done,
    Hello,
    HelloAnswer,
    Put,
    Read,
    ReadAnswer,
    decode_answer,
    encode,
)
from sessions.nodes.ray import actor

ROOT = Path(__file__).parents[4]


class NoTimer:
    """The actor's own end would be that of the tests."""

    def __init__(self, *_: object) -> None: ...

    def start(self) -> None: ...


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[actor.Relay]:
    monkeypatch.setattr(threading, "Timer", NoTimer)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    made = actor.Relay()
    made.start(["TTFTOP_API_KEY"])
    yield made
    made.leave()
    assert made._agent is not None
    made._agent.wait(20)
    assert made._agent.stdout is not None
    end_s = time.monotonic() + 20
    while not made._gone and time.monotonic() < end_s:
        time.sleep(0.05)
    made._agent.stdout.close()


def test_a_question_in_parts_is_answered_and_asked_again_it_is_not_put_twice(relay: actor.Relay) -> None:
    hello = encode(Hello())
    first = relay.exchange(0, 0, 20.0, hello[:3], hello[3:])
    assert isinstance(first, bytes)
    told = decode_answer(first)
    assert isinstance(told, HelloAnswer)
    put = encode(Put("x", 0, b"abc"))
    assert isinstance(relay.exchange(1, 1, 20.0, put), bytes)
    again = relay.exchange(0, 0, 20.0, encode(Read({}, 0, 0.0)))  # whatever it bears: number 0 is forgotten
    assert isinstance(again, bytes)
    known = relay.exchange(1, 1, 20.0, encode(Hello()))  # known: the agent does not hear of it
    assert isinstance(known, bytes)
    assert decode_answer(known) == Done()
    assert Path(told.directory, "put", "x").read_bytes() == b"abc"


def test_questions_that_overtake_each_other_reach_the_agent_in_the_order_of_their_numbers(
    relay: actor.Relay,
) -> None:
    """Parts of a file that would be refused, or lie elsewhere, in another order."""
    parts = [encode(Put("x", at, bytes([at]))) for at in range(6)]
    with ThreadPoolExecutor(6) as pool:
        asked = []
        for number in (5, 4, 3, 2, 1, 0):
            asked.append(pool.submit(relay.exchange, number, 0, 20.0, parts[number]))
            time.sleep(0.02)
        answers = [one.result(30) for one in asked]
    assert [decode_answer(one) for one in answers if isinstance(one, bytes)] == [Done()] * 6
    hello = relay.exchange(6, 6, 20.0, encode(Hello()))
    assert isinstance(hello, bytes)
    told = decode_answer(hello)
    assert isinstance(told, HelloAnswer)
    assert Path(told.directory, "put", "x").read_bytes() == bytes(range(6))


def test_an_agent_that_dies_is_told_of_at_once(relay: actor.Relay) -> None:
    hello = relay.exchange(0, 0, 20.0, encode(Hello()))
    assert isinstance(hello, bytes)
    told = decode_answer(hello)
    assert isinstance(told, HelloAnswer)
    with ThreadPoolExecutor(1) as pool:
        polling = pool.submit(relay.exchange, 1, 1, 20.0, encode(Read({}, 0, 15.0)))
        time.sleep(0.1)
        os.kill(told.pid, signal.SIGKILL)
        assert "its agent ended with exit code" in str(polling.result(15))


def test_an_answer_that_takes_too_long_is_empty_and_comes_when_asked_again(relay: actor.Relay) -> None:
    slow = encode(Read({}, 0, 0.6))
    assert relay.exchange(0, 0, 0.05, slow) == ""
    later = relay.exchange(0, 0, 20.0, slow)
    assert isinstance(later, bytes)
    assert isinstance(decode_answer(later), ReadAnswer)


def test_an_agent_outlives_the_actor_as_ray_kills_it_and_ends_by_itself(tmp_path: Path) -> None:
    """Ray kills an actor and its children, not theirs: the agent ends because its stdin does."""
    code = (
        "import sys, time\n"
        "from sessions.nodes.messages import Hello, encode, decode_answer\n"
        "from sessions.nodes.ray.actor import Relay\n"
        "relay = Relay()\n"
        "relay.start([])\n"
        "told = decode_answer(relay.exchange(0, 0, 20.0, encode(Hello())))\n"
        "print(relay._agent.pid, told.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout is not None
    between, agent = map(int, host.stdout.readline().split())
    assert between != agent
    host.kill()
    os.kill(between, signal.SIGKILL)
    host.wait(10)
    host.stdout.close()
    end_s = time.monotonic() + 20
    while running(agent):
        assert time.monotonic() < end_s, "the agent is still there"
        time.sleep(0.05)
    assert list(tmp_path.glob("ttftop-node-*")) == []


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

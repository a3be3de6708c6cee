"""The launcher before there is any cluster: what it says at once."""

from __future__ import annotations

import asyncio
import importlib.util
import socket

import pytest

from sessions.nodes.channel import NodeLost
from sessions.nodes.messages import ClockQuestion
from sessions.nodes.ray import words
from sessions.nodes.ray.launcher import BridgeProcess, RayChannel, open_ray


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        NodeLost, match=r"^Ray is not installed in /.*; need it there: pip install 'ttftop\[ray\]'$"
    ):
        asyncio.run(open_ray("auto"))


class SaysBytes(BridgeProcess):
    """Of an agent whose answers are none."""

    async def tell(self, order: words.ToBridge, timeout_s: float) -> words.FromBridge:
        return words.Exchanged(b"\xc1")


def test_an_answer_that_is_none_is_the_end_of_its_node() -> None:
    channel = RayChannel(SaysBytes(), 0, words.FoundNode("h1", "10.0.0.1", "0" * 8, False, 1, 0, "", "", ""))
    with pytest.raises(NodeLost, match=r"^it said what no agent says: "):
        asyncio.run(channel.ask(ClockQuestion(), 1.0))


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "nonsense"])
def test_the_bridge_refuses_an_address_before_it_imports_ray(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(NodeLost, match=r"not by Ray Client|auto or IP:PORT"):
        asyncio.run(open_ray(address))


def test_where_nobody_listens_the_bridge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(NodeLost, match=f"no Ray cluster at 127.0.0.1:{port}: Connection refused"):
        asyncio.run(open_ray(f"127.0.0.1:{port}"))

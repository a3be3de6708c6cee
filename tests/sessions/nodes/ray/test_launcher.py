"""The launcher before there is any cluster: what it says at once."""

from __future__ import annotations

import asyncio
import importlib.util
import socket

import pytest

from sessions.nodes.channel import NodeLost
from sessions.nodes.ray.launcher import open_ray


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NodeLost, match=r"^Ray is not installed in this Python: pip install 'ttftop\[ray\]'$"):
        asyncio.run(open_ray("auto"))


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

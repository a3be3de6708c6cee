"""What is decided about a Ray cluster without Ray: the environment, the address, which nodes, whose versions."""

from __future__ import annotations

import platform
import socket
from pathlib import Path
from typing import Any

import pytest

from loadgen.version import VERSION
from sessions.nodes.ray.cluster import (
    ClusterRefused,
    check,
    chosen,
    head_address,
    names_of,
    prepare_environment,
    probe,
)


def node(host: str, ip: str, node_id: str = "ab12cd34ef56") -> dict[str, Any]:
    return {"NodeManagerHostname": host, "NodeManagerAddress": ip, "NodeID": node_id}


def test_a_token_that_is_there_is_sent_and_no_statistics(tmp_path: Path) -> None:
    bare = {"HOME": str(tmp_path)}
    prepare_environment(bare)
    assert bare == {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("t")
    prepare_environment(bare)
    assert bare["RAY_AUTH_MODE"] == "token"
    asked_otherwise = {"HOME": str(tmp_path), "RAY_AUTH_MODE": "disabled"}
    prepare_environment(asked_otherwise)
    assert asked_otherwise["RAY_AUTH_MODE"] == "disabled"
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        named = {name: "x", "HOME": "/nowhere"}
        prepare_environment(named)
        assert named["RAY_AUTH_MODE"] == "token"


def test_auto_is_the_address_that_ray_is_told_by_its_environment() -> None:
    assert head_address("auto", {}) == "auto"
    assert head_address("auto", {"RAY_ADDRESS": "10.0.0.1:6379"}) == "10.0.0.1:6379"
    assert head_address("10.0.0.9:6380", {"RAY_ADDRESS": "10.0.0.1:6379"}) == "10.0.0.9:6380"


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "https://head:8265"])
def test_ray_client_is_refused_with_the_next_step(address: str) -> None:
    with pytest.raises(ClusterRefused, match=r"Ray Client; .* ray start --address IP:6379 --num-cpus 0"):
        head_address(address, {})


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:0", "head:70000", "head:six"])
def test_an_address_of_another_form_is_refused_with_what_is_allowed(address: str) -> None:
    with pytest.raises(ClusterRefused, match="auto or IP:PORT"):
        head_address(address, {})


def test_a_port_where_nobody_listens_is_told_at_once() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(ClusterRefused, match=f"no Ray cluster at 127.0.0.1:{port}: Connection refused"):
        probe(f"127.0.0.1:{port}")


def test_a_node_goes_by_its_host_name_and_by_more_where_two_have_the_same() -> None:
    assert names_of([node("a", "10.0.0.1"), node("b", "10.0.0.2")]) == ["a", "b"]
    twins = [node("a", "10.0.0.1"), node("a", "10.0.0.2"), node("c d/é", "fe80::1")]
    assert names_of(twins) == ["a-10.0.0.1", "a-10.0.0.2", "c_d__"]
    on_one = [node("a", "10.0.0.1", "1" * 12), node("a", "10.0.0.1", "2" * 12)]
    assert names_of(on_one) == ["a-10.0.0.1-11111111", "a-10.0.0.1-22222222"]


def test_nodes_are_chosen_by_name_address_or_id_in_the_order_asked_for() -> None:
    nodes = [
        node("a", "10.0.0.1", "11112222"),
        node("b", "10.0.0.2", "33334444"),
        node("b", "10.0.0.3", "5555"),
    ]
    assert [name for name, _ in chosen([], nodes)] == ["a", "b-10.0.0.2", "b-10.0.0.3"]
    asked = ["33334444", "a", "10.0.0.3", "a"]
    assert [name for name, _ in chosen(asked, nodes)] == ["b-10.0.0.2", "a", "b-10.0.0.3"]
    with pytest.raises(ClusterRefused, match=r"no nodes .*'z'; need one of a \(10.0.0.1\), b-10.0.0.2"):
        chosen(["z"], nodes)
    with pytest.raises(ClusterRefused, match=r"2 nodes .*'b'"):
        chosen(["b"], nodes)


def about(**more: str) -> dict[str, str]:
    same = {"python": platform.python_version(), "ray": "2.60.0", "executable": "/p", "problem": ""}
    return {**same, "ttftop": VERSION, **more}


def test_a_node_of_another_version_is_refused_and_both_are_named() -> None:
    check("h1", about())
    with pytest.raises(ClusterRefused, match=f"h1 .* has ttftop 99.1, this machine {VERSION}"):
        check("h1", about(ttftop="99.1"))
    with pytest.raises(ClusterRefused, match=f"No module named 'x'; need .* ttftop=={VERSION}"):
        check("h1", about(ttftop="", problem="No module named 'x'"))
    with pytest.raises(
        ClusterRefused, match=f"h1 runs Python 3.2.1, this machine {platform.python_version()}"
    ):
        check("h1", about(python="3.2.1"))

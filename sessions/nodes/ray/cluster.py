"""A Ray cluster from inside: joined, its nodes found, an actor started on each. Imports ray when it joins.

Ray blocks: each method that talks to the cluster is for a thread of its own.
"""

from __future__ import annotations

import platform
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadgen.errors import printable
from loadgen.version import VERSION
from sessions.nodes.ray import actor
from sessions.nodes.ray.words import FoundNode
from sessions.own_process import SECRETS
from sessions.plan.node_words import NodeWordError, ray_address

ANSWER_S = 20.0
"""For what Ray itself would wait minutes for: the head, an actor's start."""
_PROBE_S = 5.0
_MOST_NAMED = 3
_TOKEN = Path(".ray", "auth_token")


class ClusterRefused(Exception):
    """It cannot be joined, or not used: one line, with the next step."""


def prepare_environment(environment: dict[str, str]) -> None:
    """What Ray reads of it when it is imported. A token that is there is sent; no statistics are.

    From 2.59 a cluster may demand the token of `~/.ray/auth_token`, which Ray sends of itself to `auto` only.
    """
    environment["RAY_USAGE_STATS_ENABLED"] = "0"
    if "RAY_AUTH_MODE" not in environment:
        named = environment.get("RAY_AUTH_TOKEN") or environment.get("RAY_AUTH_TOKEN_PATH")
        if named or Path(environment.get("HOME") or "~", _TOKEN).expanduser().is_file():
            environment["RAY_AUTH_MODE"] = "token"


def head_address(address: str, environment: Mapping[str, str]) -> str:
    """`IP:PORT` of the head as far as it is known, `auto` where Ray must find it on this machine.

    Raises:
        ClusterRefused: another form of address.
    """
    where = "the address of a Ray cluster"
    if address == "auto":
        address, where = environment.get("RAY_ADDRESS", "") or "auto", "RAY_ADDRESS"
        if address == "auto":
            return address
    try:
        return ray_address(address)
    except NodeWordError as error:
        raise ClusterRefused(f"{where}: {error}") from None


def probe(address: str) -> None:
    """Raises:
    ClusterRefused: nobody listens there. Ray itself would hang for minutes.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PROBE_S).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise ClusterRefused(
            f"no Ray cluster at {printable(address, 60)}: {why}; is its head running (ray status), is that "
            "its port (6379 unless told otherwise)?"
        ) from None


class Cluster:
    """One that was joined."""

    def __init__(self, address: str) -> None:
        """Joins it.

        Raises:
            ClusterRefused: it cannot be.
        """
        import ray

        self._ray = ray
        here = f"Python {platform.python_version()} and Ray {ray.__version__}"
        try:
            ray.init(address=address, log_to_driver=False, logging_level="error", configure_logging=False)
        except ConnectionError as error:
            if address == "auto" and "running Ray instance" in str(error):
                raise ClusterRefused(
                    "no Ray node runs on this machine (auto); need ttftop on a node of the cluster, or this "
                    "machine in it: ray start --address IP:6379 --num-cpus 0"
                ) from None
            why = (
                _one_line(error) or "it closes the connection without a word, as another version of Ray does"
            )
            raise ClusterRefused(_not_joined(address, here, why)) from None
        except Exception as error:
            raise ClusterRefused(_why_not(error, address, here)) from None

    def alive(self) -> list[dict[str, Any]]:
        """As Ray tells of its nodes, sorted by address."""
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        return sorted(nodes, key=lambda node: _by_number(node["NodeManagerAddress"]))

    def start(self, node: Mapping[str, Any]) -> Any:
        """An actor there: without CPUs of its own it starts on a node that is full, and it never moves."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._ray.cloudpickle.register_pickle_by_value(actor)
        relay = self._ray.remote(num_cpus=0, max_restarts=0, max_concurrency=actor.THREADS)(actor.Relay)
        return relay.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            runtime_env=actor.kept_environment(),
        ).remote()

    def begin(self, node: Mapping[str, Any], name: str, relay: Any) -> FoundNode:
        """Starts the agent beside the actor, if the node has our ttftop.

        Raises:
            ClusterRefused: another version, or none.
        """
        try:
            about = self._ray.get(relay.about.remote(), timeout=ANSWER_S)
            check(name, about)
            self._ray.get(relay.start.remote(list(SECRETS)), timeout=ANSWER_S)
        except self._ray.exceptions.GetTimeoutError:
            raise ClusterRefused(
                f"{name} did not start an actor within {ANSWER_S:g} s: is it still alive (ray status)? "
                "leave it out with --nodes"
            ) from None
        except self._ray.exceptions.RayError as error:
            why = _one_line(error)
            raise ClusterRefused(
                f"{name} could not start an actor: {why}; see ray status, or leave it out with --nodes"
            ) from None
        resources = node["Resources"]
        return FoundNode(
            name=name,
            ip=node["NodeManagerAddress"],
            node_id=node["NodeID"],
            head="node:__internal_head__" in resources,
            cpus=resources.get("CPU", 0.0),
            gpus=resources.get("GPU", 0.0),
            python=about["python"],
            ray=about["ray"],
            ttftop=about["ttftop"],
        )

    def leave(self) -> None:
        self._ray.shutdown()


def check(name: str, about: Mapping[str, str]) -> None:
    """Raises:
    ClusterRefused: the node's ttftop or Python is not ours.
    """
    where = f"{name} (Python {about['python']}, {about['executable']})"
    if not about["ttftop"]:
        raise ClusterRefused(
            f"{where} has no ttftop that could be used: {printable(about['problem'], 80)}; need the same "
            f"there: pip install ttftop=={VERSION}"
        )
    if about["ttftop"] != VERSION:
        raise ClusterRefused(
            f"{where} has ttftop {about['ttftop']}, this machine {VERSION}; need the same on all nodes"
        )
    here = platform.python_version()
    if about["python"].split(".")[:2] != here.split(".")[:2]:
        raise ClusterRefused(f"{name} runs Python {about['python']}, this machine {here}: Ray needs the same")


def names_of(nodes: list[dict[str, Any]]) -> list[str]:
    """A name each: the host name, with its address where two have the same."""
    hosts = [re.sub(r"[^A-Za-z0-9._-]", "_", node["NodeManagerHostname"]) or "node" for node in nodes]
    addresses = [re.sub(r"[^A-Za-z0-9.-]", "-", node["NodeManagerAddress"]) for node in nodes]
    full = [
        host if hosts.count(host) == 1 else f"{host}-{address}"
        for host, address in zip(hosts, addresses, strict=True)
    ]
    return [
        name if full.count(name) == 1 else f"{name}-{node['NodeID'][:8]}"
        for name, node in zip(full, nodes, strict=True)
    ]


def chosen(wanted: list[str], nodes: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Those of `nodes` that were asked for, with their names; all if none was.

    Raises:
        ClusterRefused: none, or more than one, goes by a name.
    """
    named = list(zip(names_of(nodes), nodes, strict=True))
    if not wanted:
        return named
    found: list[tuple[str, dict[str, Any]]] = []
    for word in wanted:
        fits = [
            (name, node)
            for name, node in named
            if word in (name, node["NodeManagerHostname"], node["NodeManagerAddress"])
            or (len(word) >= 8 and node["NodeID"].startswith(word))
        ]
        if len(fits) != 1:
            asked = f"--nodes: {len(fits) or 'no'} nodes of the cluster called {printable(word, 60)!r}"
            raise ClusterRefused(f"{asked}; need one of {_some(fits or named)}")
        if fits[0] not in found:
            found.append(fits[0])
    return found


def _by_number(address: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", address)]


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[0], 80) if lines else ""


def _some(named: list[tuple[str, dict[str, Any]]]) -> str:
    """As many as a line has room for."""
    told = [f"{name[:40]} ({node['NodeManagerAddress']})" for name, node in named[:_MOST_NAMED]]
    more = len(named) - len(told)
    return ", ".join(told) + (f" and {more} more (ray status)" if more else "")


def _not_joined(address: str, here: str, why: str) -> str:
    need = "need the same Ray and Python here"
    return f"the Ray cluster at {address} cannot be joined by {here}: {why}; {need}"


def _why_not(error: Exception, address: str, here: str) -> str:
    text = str(error)
    there = re.search(r"The cluster was started with:\s*Ray:\s*(\S+)\s*Python:\s*(\S+)", text)
    if there is not None:
        return (
            f"the Ray cluster at {address} runs Python {there[2]} and Ray {there[1]}, this machine {here}; "
            "need the same (of Python the first two numbers)"
        )
    if "No node info" in text or "node ip address" in text.lower():
        return (
            f"this machine is no node of the Ray cluster at {address}; need ttftop on one that is, or this "
            f"machine in it: ray start --address {address} --num-cpus 0"
        )
    if "InvalidAuthToken" in text or "auth" in type(error).__name__.lower() or "token" in text.lower():
        return (
            f"the Ray cluster at {address} does not take our token: put the cluster's into "
            "~/.ray/auth_token or into RAY_AUTH_TOKEN, and set RAY_AUTH_MODE=token"
        )
    what = _one_line(error) or type(error).__name__
    return _not_joined(address, here, what)

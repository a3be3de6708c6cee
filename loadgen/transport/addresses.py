"""A server's addresses: looked up once, tried once, and which of them the load goes to.

What other clients do: curl and Go's dialer take the first address that answers (RFC 8305), wrk the first of
the list, k6 one at random for each new connection. A load test wants all of them, in equal parts.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from loadgen.transport.connection import SocketAddress

MOST = 32
"""Addresses of one name that are tried."""
_LISTED = 4
_OTHERS_S = 1.0
"""How long the others may take once one has answered."""

Resolver = Callable[[str, int], Awaitable[list[SocketAddress]]]
"""`(name, port)` -> where to connect, in the order to try. Raises OSError for a name that nobody knows."""


class Addresses(NamedTuple):
    """What became of them all."""

    taken: list[SocketAddress]
    """Those that answered, of one family: one of IPv4 and one of IPv6 are the same server. The first of all
    when none did."""
    dead: dict[str, str]
    """Of that family, those that did not: the address, and why."""

    @property
    def ips(self) -> tuple[str, ...]:
        return tuple(ip_of(address) for address in self.taken)

    def note(self, host: str) -> str:
        """One line on where the load goes, when that is not plain; else empty."""
        several = len(self.taken) > 1
        parts = [f"requests go to each in turn: {_listed(self.ips)}"] if several else []
        if self.dead:
            parts.append(f"left out: {_listed([f'{ip} ({why})' for ip, why in self.dead.items()])}")
        return f"{host} has {len(self.taken) + len(self.dead)} addresses; {'; '.join(parts)}" if parts else ""


async def resolve(host: str, port: int) -> list[SocketAddress]:
    """The system's resolver.

    Raises:
        OSError: the name cannot be resolved.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def dns_trouble(error: OSError, resolv_conf: str = "/etc/resolv.conf") -> str:
    """Whose trouble it is that a name could not be resolved: a name that nobody knows, or this machine's way
    to its name servers. Source: getaddrinfo(3)."""
    if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
        return "no such name"
    if error.errno not in (socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM):
        return error.strerror or str(error)
    try:
        with open(resolv_conf, encoding="utf-8", errors="replace") as lines:
            asked = [line.split()[1] for line in lines if line.startswith("nameserver") and line.split()[1:]]
    except OSError:
        asked = []
    who = f"this machine's name servers do not answer: {', '.join(asked[:3])}"
    return who if asked else "this machine has no name server (/etc/resolv.conf)"


def ip_of(address: SocketAddress) -> str:
    where = address[1]
    return str(where[0]) if isinstance(where, tuple) else str(where)


async def tried(where: list[SocketAddress], wait_s: float) -> Addresses:
    """Connects to each of `where` at once. A single one is not tried: the next request tells.

    `wait_s`: how long they may take, if none answers.
    """
    each = list(dict.fromkeys(where))[:MOST]
    if len(each) == 1:
        return Addresses(each, {})
    tasks = [asyncio.ensure_future(_answers(address)) for address in each]
    pending: set[asyncio.Future[str]] = {*tasks}
    deadline = asyncio.get_running_loop().time() + wait_s
    while pending and not any(task.done() and not task.result() for task in tasks):
        left_s = deadline - asyncio.get_running_loop().time()
        if left_s <= 0:
            break
        _, pending = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    if pending:
        _, pending = await asyncio.wait(pending, timeout=min(_OTHERS_S, wait_s))
    for task in pending:
        task.cancel()
    said = {
        address: "no answer" if task in pending else task.result()
        for address, task in zip(each, tasks, strict=True)
    }
    live = [address for address in each if not said[address]]
    if not live:
        return Addresses(each[:1], {})
    families = [family for family, _ in live]
    best = max(dict.fromkeys(families), key=families.count)
    return Addresses(
        [address for address in live if address[0] == best],
        {ip_of(address): why for address, why in said.items() if why and address[0] == best},
    )


def _listed(words: Sequence[str]) -> str:
    return ", ".join([*words[:_LISTED], *(["..."] if len(words) > _LISTED else [])])


async def _answers(address: SocketAddress) -> str:
    """Why it does not; empty when it does."""
    try:
        with socket.socket(address[0], socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, address[1])  # type: ignore[arg-type]
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else str(error)
    return ""

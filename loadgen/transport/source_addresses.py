"""From which addresses of this machine connections go: each in turn, so that each brings ports of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadgen.transport.opening import SocketAddress

_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)
"""Source: linux/in.h, since Linux 4.2; Python has the name since 3.12."""


class SourceAddresses:
    """Of one pool. A connection goes from one of the family of where it goes."""

    def __init__(self, ips: Sequence[str], first: int = 0) -> None:
        """`first`: which of them the first connection goes from."""
        self._by_family: dict[int, list[str]] = {}
        for ip in ips:
            self._by_family.setdefault(family_of(ip), []).append(ip)
        self._turn = first

    def next_to(self, address: SocketAddress) -> str | None:
        """The one whose turn it is; None where the kernel is to choose."""
        ips = self._by_family.get(address[0])
        if not ips:
            return None
        self._turn += 1
        return ips[(self._turn - 1) % len(ips)]


def family_of(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def bind_to(sock: socket.socket, ip: str) -> None:
    """Lets a connection go from `ip`. Its port is chosen when it connects, where the kernel can wait so long:
    then a port in use serves a connection to another server as well.

    Raises:
        OSError: it cannot, as where `ip` is no address of this machine.
    """
    with contextlib.suppress(OSError):  # an old kernel, or another system
        sock.setsockopt(socket.IPPROTO_IP, _NO_PORT, 1)
    sock.bind((ip, 0))


def why_not(ip: str) -> str:
    """Why no connection of this machine can go from `ip`; empty where one can."""
    try:
        with socket.socket(family_of(ip), socket.SOCK_STREAM) as sock:
            bind_to(sock, ip)
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else str(error)
    return ""


def is_source(text: str) -> bool:
    """Whether `text` is an address that a machine can have: no name, no network, not all of them."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (ip.is_unspecified or ip.is_multicast or "%" in text)

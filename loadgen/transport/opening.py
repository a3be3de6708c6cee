"""Sockets for connections, as they are before they connect, and what a failure to connect is called."""

from __future__ import annotations

import errno
import socket

from loadgen.transport.receive_times import ask_for_stamps
from loadgen.transport.source_addresses import bind_to

SocketAddress = tuple[socket.AddressFamily, object]

_KINDS = {
    errno.ECONNREFUSED: "connect_refused",
    errno.ETIMEDOUT: "connect_timeout",
    errno.EMFILE: "no_descriptors",
    errno.ENFILE: "no_descriptors",
    errno.EADDRNOTAVAIL: "no_ports",
    errno.EADDRINUSE: "no_ports",
    errno.ENOBUFS: "no_memory",
    errno.ENOMEM: "no_memory",
    errno.ENETUNREACH: "no_network",
    errno.ENETDOWN: "no_network",
    errno.EAFNOSUPPORT: "no_network",
    errno.EACCES: "not_permitted",
    errno.EPERM: "not_permitted",
}
"""Source: connect(2), socket(2), tcp(7). EHOSTUNREACH is none of them: the network or the host may say it."""


class NotOurs(OSError):
    """The address to go from is none of this machine's (any more)."""


def failure_of(error: OSError, unix: bool) -> tuple[str, str]:
    """The kind of error (`loadgen.errors.ERROR_KINDS`), and what was said."""
    kind = "no_network" if isinstance(error, NotOurs) else _KINDS.get(error.errno or 0, "connect_failed")
    if unix and kind in ("no_ports", "no_network", "not_permitted"):
        kind = "connect_failed"  # of a Unix socket these are about its path
    return kind, error.strerror or str(error)


def new_socket(address: SocketAddress, source: str | None) -> socket.socket:
    """One that can be connected to `address`, from `source` or where the kernel chooses.

    Raises:
        OSError: there is none to be had.
    """
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if address[0] != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(sock)
        if source is not None:
            _bind(sock, source)
    except OSError:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, source: str) -> None:
    try:
        bind_to(sock, source)
    except OSError as error:
        of = NotOurs if error.errno == errno.EADDRNOTAVAIL else OSError
        raise of(error.errno, f"from {source}: {error.strerror or error}") from None

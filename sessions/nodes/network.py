"""A node's network as seen from there: whether the server is reached, and whose `localhost` it has."""

from __future__ import annotations

import socket
from pathlib import Path

from sessions.nodes.messages import Reach, ReachAnswer

CONNECT_S = 3.0
MOST_ADDRESSES = 16


def network_of_this_process() -> str:
    """Equal for two processes that share `localhost`; empty where nobody tells (no Linux)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/net').stat().st_ino}"
    except OSError:
        return ""


def reached(question: Reach) -> ReachAnswer:
    """Tries the addresses one by one; waits `CONNECT_S` for each at the most."""
    at = question.at[:MOST_ADDRESSES]
    found, own, why = _those_that_answer(at, question.port)
    if not found:
        try:
            known = socket.getaddrinfo(question.host, question.port, type=socket.SOCK_STREAM)
        except OSError as error:
            return ReachAnswer([], why_not=why or f"{question.host}: {error.strerror or error}")
        others = [str(where[0]) for _, _, _, _, where in known]
        others = [one for one in dict.fromkeys(others) if one not in at][:MOST_ADDRESSES]
        found, own, again = _those_that_answer(others, question.port)
        why = why or again
    return ReachAnswer(found, own, "" if found else why)


def _those_that_answer(at: list[str], port: int) -> tuple[list[str], bool, str]:
    found, own, why = [], False, ""
    for address in at:
        try:
            with socket.create_connection((address, port), CONNECT_S) as connection:
                # A way to oneself begins where it ends.
                own = own or connection.getsockname()[0] == connection.getpeername()[0]
                found.append(address)
        except OSError as error:
            why = why or f"{address} port {port}: {error.strerror or 'no answer'}"
    return found, own, why

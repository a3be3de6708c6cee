"""What this machine allows its load workers: descriptors, ports, memory.

A load that cannot fit is refused before it begins, one that may not is warned of.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sessions.plan.config import LoadConfig

SPARE_DESCRIPTORS = 64
TIME_WAIT_S = 60.0
"""How long a port is taken after its connection was closed by us. Source: TCP_TIMEWAIT_LEN of Linux."""
SLOT_BYTES, TOKEN_BYTES = 8_000, 44
"""What a request in flight takes in a worker, and for each of its tokens more: measured with 19,000 slots."""

_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RESERVED = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
_MEMORY = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


class Machine(NamedTuple):
    """What there is. None: no limit, or not known."""

    descriptors: int | None
    """A worker may have, once it has raised its soft limit."""
    ports: int | None
    """For connections to one address."""
    memory_bytes: int | None
    """That can still be had."""


class Spread(NamedTuple):
    """Where one target's part of the load goes: each pair of addresses has ports of its own."""

    addresses: int | None = 1
    """Of the target; None for a Unix socket, which needs no ports."""
    sources: int = 1
    """Addresses of ours that connections to it go from."""
    share: float = 1.0
    """Of all requests."""
    name: str = ""
    """Its URL, where there are several."""

    @property
    def pairs(self) -> int | None:
        return None if self.addresses is None else self.addresses * self.sources

    def ports(self, each: int) -> str:
        """In words: what there is, of `each` a pair."""
        one = "one address" if self.sources == 1 else f"one address from each of {self.sources} of its own"
        return f"{each:,} ports to {one} (net.ipv4.ip_local_port_range)"


class Need(NamedTuple):
    """What a load takes when it is at its highest, as far as it was asked for and is expected."""

    at_once: float
    """Requests in flight. Certain in a closed loop, else from how long a request took in the probe."""
    new_per_s: float
    """Connections opened each second; 0 where they are kept alive."""
    workers: int
    spread: tuple[Spread, ...]
    """By target."""
    output_tokens: int

    @property
    def descriptors(self) -> int:
        """Of one worker: one a request in flight, and some of its own."""
        return -int(-self.at_once // self.workers) + SPARE_DESCRIPTORS

    @property
    def memory_bytes(self) -> int:
        return int(self.at_once * (SLOT_BYTES + TOKEN_BYTES * self.output_tokens))


def need_of(
    load: LoadConfig,
    *,
    workers: int,
    spread: Sequence[Spread],
    request_s: float | None,
    closes: bool,
    output_tokens: int,
) -> Need:
    """`request_s`: how long a request is expected to take; None when that is not known. `closes`: the server
    closes its connection after each answer."""
    if load.concurrency is not None:
        at_once = float(min(load.concurrency, load.max_in_flight))
        rate = at_once / request_s if request_s else 0.0
    else:
        rate = load.highest_rps
        at_once = min(0.0 if request_s is None else rate * request_s, float(load.max_in_flight))
    return Need(at_once, rate if closes else 0.0, workers, tuple(spread), output_tokens)


def refusal(load: LoadConfig, need: Need, machine: Machine) -> str:
    """Why a closed loop can never have all its slots at once, and how many it can; empty when it can."""
    if load.concurrency is None:
        return ""
    bounds = []
    if machine.descriptors is not None:
        most = (machine.descriptors - SPARE_DESCRIPTORS) * need.workers
        bounds.append((most, f"{machine.descriptors:,} file descriptors a worker (ulimit -Hn)"))
    for to in need.spread:
        if (ports := machine.ports) is not None and to.pairs is not None:
            more = f", and {to.name} has its part of the load" if to.name else ""
            bounds.append((int(ports * to.pairs / to.share), to.ports(ports) + more))
    if machine.memory_bytes is not None:
        most = machine.memory_bytes // (SLOT_BYTES + TOKEN_BYTES * need.output_tokens)
        bounds.append((most, f"{machine.memory_bytes / 2**30:.1f} GiB of memory"))
    most, what = min(bounds, default=(load.concurrency, ""))
    if load.concurrency <= most:
        return ""
    return f"--concurrency: got {load.concurrency}, need at most {max(1, most)}: this machine has {what}"


def warnings(need: Need, machine: Machine) -> list[str]:
    """What may run short while the load runs, one line each."""
    found = []
    if machine.descriptors is not None and need.descriptors > machine.descriptors:
        each = "" if need.workers == 1 else f" in each of {need.workers} workers"
        least = max(1, (machine.descriptors - SPARE_DESCRIPTORS) * need.workers)
        found.append(
            f"the load may need {need.descriptors:,} file descriptors{each}, the limit is "
            f"{machine.descriptors:,}: raise it (ulimit -Hn) or give --max-in-flight {least}"
        )
    if machine.memory_bytes is not None and need.memory_bytes > machine.memory_bytes / 2:
        found.append(
            f"the load may need {need.memory_bytes / 2**30:.1f} GiB of memory, "
            f"{machine.memory_bytes / 2**30:.1f} GiB can be had here"
        )
    if (ports := machine.ports) is not None:
        for to in need.spread:
            found += [f"{to.name}: {word}" if to.name else word for word in _ports(need, ports, to)]
    return found


def _ports(need: Need, ports: int, to: Spread) -> list[str]:
    """A port is free again a while after its connection was closed; the kernel looks for a free one at odd
    numbers first, and one by one once those are taken."""
    if to.pairs is None:
        return []
    part = to.share / to.pairs
    open_, closing = need.at_once * part, need.new_per_s * part * TIME_WAIT_S
    here = f"this machine has {to.ports(ports)}; each --source-address has as many"
    if closing and open_ + closing > ports:
        lasts_s = max(0.0, ports - open_) / (need.new_per_s * part)
        return [
            f"the server closes its connections: {need.new_per_s * to.share:,.0f} new ones a second use up "
            f"the ports after {lasts_s:,.0f} s, since each is taken {TIME_WAIT_S:g} s longer; {here}"
        ]
    if open_ > ports:
        return [f"the load may need {open_:,.0f} connections at once; {here}"]
    if open_ > ports / 2:
        return [f"{open_:,.0f} connections at once: beyond half of the ports new ones open slowly; {here}"]
    return []


def this_machine() -> Machine:
    return Machine(descriptor_limit(), port_count(), memory_bytes())


def descriptor_limit() -> int | None:
    """How many a worker may have once it has raised its soft limit; None when there is no limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def port_count(between: Path = _PORTS, reserved: Path = _RESERVED) -> int | None:
    """Ports for connections to one address; None where nobody says. Source: ip-sysctl of Linux."""
    try:
        first, last = (int(word) for word in between.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return None
    taken: set[int] = set()
    try:
        for part in reserved.read_text(encoding="ascii").strip().split(","):
            low, _, high = part.partition("-")
            if low:
                taken.update(range(max(first, int(low)), min(last, int(high or low)) + 1))
    except (OSError, ValueError):
        pass
    return max(0, last - first + 1 - len(taken))


def memory_bytes(meminfo: Path = _MEMORY, cgroup: Path = _CGROUP) -> int | None:
    """What the machine, or the container we are in, can still give; None where neither says."""
    known = []
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                known.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError, IndexError):
        pass
    try:
        names = ("memory.max", "memory.current")
        most, used = ((cgroup / name).read_text(encoding="ascii") for name in names)
        known.append(max(0, int(most) - int(used)))
    except (OSError, ValueError):  # no container, or one without a limit (`max`)
        pass
    return min(known, default=None)

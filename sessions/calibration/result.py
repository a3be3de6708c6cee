"""What `ttftop calibrate` found out about this machine: how many events per second a load worker reads
without its own lateness showing. Kept per user; of no worth on another machine or after an upgrade.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec
import tomli
import tomli_w

from loadgen.decoding import ready
from loadgen.small_file import FileError, read_small
from loadgen.version import VERSION
from sessions.user_directory import user_directory

FILE = "calibration.toml"
FORMAT = "ttftop-calibration"
CAP_BYTES = 64 << 10

ASSUMED_EVENTS_PER_S = 10_000.0
"""What one worker is taken to read cleanly on a machine that was never calibrated."""


class Machine(msgspec.Struct, frozen=True):
    """All that a calibration depends on. When any of it changes, the calibration has expired."""

    cpu: str
    cores: int
    """Those this process may run on."""
    kernel: str
    python: str
    loop: str
    """The event loop of the load workers: `uvloop 0.22`, or `asyncio`."""
    ttftop: str


class Trial(msgspec.Struct, frozen=True):
    """One load that was tried."""

    asked_events_per_s: float
    events_per_s: float
    """What our server really sent."""
    timing_error_p50_us: float
    """Client's receive time minus the server's time of sending."""
    timing_error_p99_us: float
    send_lag_p99_us: float
    cpu_share: float
    """Mean share of one core."""
    cpu_us_per_event: float
    coalesced_share: float
    """Share of the reads with tokens that held more than one."""
    kernel_share: float
    """Share of the reads with tokens that the kernel stamped."""
    why_not: str = ""
    """What kept it from being clean; empty when it was."""


class Calibration(msgspec.Struct, frozen=True):
    """The highest clean load of one worker."""

    machine: Machine
    measured_at: str
    """RFC 3339 with zone."""
    events_per_s: float
    limit: str
    """What stood against more, in a few words."""
    steps: list[Trial] = msgspec.field(default_factory=list)
    format: str = FORMAT


def this_machine() -> Machine:
    from importlib.metadata import PackageNotFoundError, version

    try:
        loop = f"uvloop {version('uvloop')}"
    except PackageNotFoundError:
        loop = "asyncio"
    return Machine(_cpu(), cores(), platform.release(), platform.python_version(), loop, VERSION)


def cores() -> int:
    """How many cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "Hardware", "cpu model"):
                    return " ".join(value.split())[:120]
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def path() -> Path | None:
    """Where the calibration of this user is kept; None where no home directory is known."""
    place = user_directory("state")
    return None if place is None else place / FILE


def save(calibration: Calibration, where: Path) -> None:
    """Replaces what was known before.

    Raises:
        OSError: the disk refused.
    """
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = where.with_name(f".{where.name}.{os.getpid()}")
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            tomli_w.dump(msgspec.to_builtins(calibration), file)
        fresh.replace(where)
    finally:
        fresh.unlink(missing_ok=True)


def load(where: Path | None) -> Calibration | None:
    """What is stored, whatever machine it is of; None when there is nothing, or nothing readable."""
    if where is None:
        return None
    try:
        text = read_small(where, CAP_BYTES).data.decode()
        found = msgspec.convert(tomli.loads(text), ready(Calibration))
    except (FileError, ValueError, msgspec.ValidationError, RecursionError):
        return None
    return found if found.format == FORMAT and found.events_per_s > 0 else None


def changed(then: Machine, now: Machine) -> list[str]:
    """What is no longer as it was, one phrase each; empty while the calibration holds."""
    return [
        f"{name} was {before}, is {after}"
        for name in Machine.__struct_fields__
        if (before := getattr(then, name)) != (after := getattr(now, name))
    ]


def valid_here(where: Path | None = None) -> Calibration | None:
    """The calibration of this very machine and version; None when there is none that holds."""
    found = load(path() if where is None else where)
    return None if found is None or changed(found.machine, this_machine()) else found

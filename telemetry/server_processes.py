"""Which processes serve a TCP port of this machine, by /proc (Linux)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from telemetry.source import plain

PROC = Path("/proc")
LISTEN = "0A"
_MOST_TYPED = 16_384
INITIAL_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of the kernel: the namespace in which pids are the machine's own."""


class Listener(NamedTuple):
    """A TCP socket that listens on this machine."""

    address: str
    """As the kernel writes it: four or sixteen bytes in hexadecimal, each word in the machine's order."""
    port: int
    inode: str


def server_pids(port: int, proc: Path = PROC) -> frozenset[int] | None:
    """Pids that listen on `port`, and all their descendants.

    Returns:
        None when nothing listens there, or the listener belongs to someone whose files we may not read.
    """
    inodes = _listening_inodes(port, proc)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    pids = _pids(proc)
    family = {pid for pid in pids if not wanted.isdisjoint(_open_files(proc, pid))}
    if not family:
        return None
    children: dict[int, list[int]] = {}
    for pid in pids:
        children.setdefault(_parent(proc, pid), []).append(pid)
    waiting = list(family)
    while waiting:
        born = [pid for pid in children.get(waiting.pop(), []) if pid not in family]
        family.update(born)
        waiting += born
    return frozenset(family)


def process_name(pid: int, proc: Path = PROC) -> str:
    """The command's short name; empty when the process cannot be seen.

    In a container the driver's pids are the host's (nvidia-docker#1483), and one of ours with the same number
    may be another program: there, only a process that holds /dev/nvidia* is believed.
    """
    try:
        if str((proc / "self/ns/pid").readlink()) != INITIAL_PID_NAMESPACE and not any(
            name.startswith("/dev/nvidia") for name in _open_files(proc, pid)
        ):
            return ""
        return plain((proc / str(pid) / "comm").read_text(errors="replace").strip(), 40)
    except OSError:
        return ""


def listeners(proc: Path = PROC) -> Iterator[Listener]:
    """All of them, whoever owns them; none where there is no /proc."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            # sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode ...
            parts = line.split()
            if len(parts) > 9 and parts[3] == LISTEN:
                address, _, port = parts[1].rpartition(":")
                yield Listener(address, int(port, 16), parts[9])


def command_lines(proc: Path = PROC) -> dict[str, list[str]]:
    """What was typed to start each process whose files we may read, by the inodes of its sockets."""
    found: dict[str, list[str]] = {}
    for pid in _pids(proc):
        sockets = [link[8:-1] for link in _open_files(proc, pid) if link.startswith("socket:[")]
        if sockets:
            try:
                raw = (proc / str(pid) / "cmdline").read_bytes()[:_MOST_TYPED]
            except OSError:  # gone
                continue
            words = raw.decode(errors="replace").split("\0")
            found |= dict.fromkeys(sockets, words)
    return found


def _listening_inodes(port: int, proc: Path) -> set[str]:
    return {one.inode for one in listeners(proc) if one.port == port}


def _pids(proc: Path) -> list[int]:
    try:
        return [int(path.name) for path in proc.iterdir() if path.name.isdecimal()]
    except OSError:
        return []


def _open_files(proc: Path, pid: int) -> list[str]:
    links = []
    try:
        for path in (proc / str(pid) / "fd").iterdir():
            try:
                links.append(str(path.readlink()))
            except OSError:  # closed meanwhile
                continue
    except OSError:  # gone, or someone else's
        pass
    return links


def _parent(proc: Path, pid: int) -> int:
    try:
        # The command stands in brackets and may hold spaces and brackets itself.
        return int((proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0

"""Machines, as namespaces of this one: each its own network, processes, name, shared memory, folders and clock.

They are real TCP over a switch, with an address each, and CLOCK_MONOTONIC off by whole seconds. Nothing is left of
them once the process that made them is gone, however it ended: each host's first process waits for the end of its
stdin, and the kernel ends all others with it. Needs root on Linux.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_FIRST = """
import signal, socket, subprocess, sys
own, name, *places = sys.argv[1:]
for place in places:
    subprocess.run(["mount", "-t", "tmpfs", "ttftop", place], check=True)
for folder in ("home", "tmp"):
    subprocess.run(["mkdir", "-p", f"{own}/{folder}"], check=True)
socket.sethostname(name)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("up", flush=True)
sys.stdin.read()
"""
_SWITCH = "import sys; print('up', flush=True); sys.stdin.read()"
_SPACES = ("--mount", "--pid", "--uts", "--ipc", "--net", "--time")
RAY_PLACE = Path("/tmp/ray")
"""Where Ray looks for a node of this machine: each host has its own, and so short that sockets' names fit."""


def why_none() -> str:
    """Why this machine cannot make hosts; empty: it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts as namespaces need root on Linux"
    try:
        tried = subprocess.run(
            [
                "unshare",
                *_SPACES,
                "--fork",
                "--mount-proc",
                "--monotonic",
                "7",
                "ip",
                "link",
                "add",
                "name",
                "tried",
                "type",
                "veth",
            ],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"hosts as namespaces: {error}"
    return "" if tried.returncode == 0 else f"hosts as namespaces: {tried.stderr.strip()[-200:]}"


@dataclass
class Host:
    """One machine."""

    name: str
    ip: str
    pid: int
    """Of its first process, as seen from outside."""
    clock_ahead_s: int
    own: Path
    """A folder that only this host sees."""
    _switch: int = 0
    _port: str = ""
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, arguments: Sequence[str], environment: dict[str, str] | None = None) -> list[str]:
        """What runs `arguments` there, from outside."""
        own = {"HOME": str(self.own / "home"), "TMPDIR": str(self.own / "tmp"), **(environment or {})}
        return [
            *("nsenter", "--target", str(self.pid), *_SPACES, f"--wd={Path.cwd()}"),
            *("env", *(f"{name}={value}" for name, value in own.items()), *arguments),
        ]

    def run(self, *arguments: str, timeout_s: float = 60, check: bool = True, **more: str) -> str:
        """Its output."""
        done = subprocess.run(
            self.command(arguments, more), capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout[-500:]} {done.stderr[-2000:]}"
        return done.stdout

    def start(
        self, *arguments: str, log: Path | int = subprocess.DEVNULL, **more: str
    ) -> subprocess.Popen[bytes]:
        out = log.open("wb") if isinstance(log, Path) else log
        process = subprocess.Popen(
            self.command(arguments, more), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        if not isinstance(out, int):
            out.close()
        self._started.append(process)
        return process

    def pids(self, *words: str) -> list[int]:
        """Of the processes there whose command line has all `words`, as seen from outside."""
        space, found = Path(f"/proc/{self.pid}/ns/pid").stat().st_ino, []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "ns/pid").stat().st_ino == space:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if all(word in line for word in words):
                        found.append(int(entry.name))
        return sorted(found)

    def signal(self, number: int, *words: str) -> list[int]:
        """To the processes there whose command line has all `words`; those it was sent to."""
        found = [pid for pid in self.pids(*words) if pid != self.pid]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return found

    def cut(self) -> None:
        """Pulls its network cable."""
        _inside(self._switch, "ip", "link", "set", self._port, "down")

    def mend(self) -> None:
        _inside(self._switch, "ip", "link", "set", self._port, "up")


@contextlib.contextmanager
def hosts(folder: Path, clocks_ahead_s: Sequence[int]) -> Iterator[list[Host]]:
    """As many hosts as clocks: h0 (198.18.0.1), h1 and so on. `folder` is empty, and seen by all of them."""
    held: list[subprocess.Popen[bytes]] = []
    made: list[Host] = []
    RAY_PLACE.mkdir(exist_ok=True)
    try:
        switch = _held(held, ["--net"], _SWITCH)
        _inside(switch, "ip", "link", "add", "br0", "type", "bridge")
        _inside(switch, "ip", "link", "set", "br0", "up")
        for number, ahead_s in enumerate(clocks_ahead_s):
            own = folder / "own"
            own.mkdir(exist_ok=True)
            name, ip, port = f"h{number}", f"198.18.0.{number + 1}", f"p{number}"
            spaces = [*_SPACES, "--fork", "--mount-proc", "--kill-child", "--monotonic", str(ahead_s)]
            pid = _held(held, spaces, _FIRST, str(own), name, str(own), "/dev/shm", str(RAY_PLACE))
            _inside(
                switch, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(pid)
            )
            _inside(switch, "ip", "link", "set", port, "master", "br0", "up")
            for words in ("link set lo up", f"addr add {ip}/24 dev eth0", "link set eth0 up"):
                _inside(pid, "ip", *words.split())
            made.append(Host(name, ip, pid, ahead_s, own, switch, port))
        yield made
    finally:
        for holder in reversed(held):
            assert holder.stdin is not None
            holder.stdin.close()
        for holder in held:
            try:
                holder.wait(5)
            except subprocess.TimeoutExpired:
                holder.kill()
                holder.wait(5)
            assert holder.stdout is not None
            holder.stdout.close()
        for host in made:
            for process in host._started:
                process.wait(10)


def _held(held: list[subprocess.Popen[bytes]], spaces: list[str], code: str, *arguments: str) -> int:
    """The process that holds new namespaces, as seen from outside."""
    holder = subprocess.Popen(
        ["unshare", *spaces, sys.executable, "-I", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    held.append(holder)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"up\n", "no namespaces"
    if "--fork" not in spaces:
        return holder.pid
    return int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0])


def _inside(pid: int, *arguments: str) -> None:
    subprocess.run(["nsenter", "--target", str(pid), "--net", *arguments], check=True, timeout=20)

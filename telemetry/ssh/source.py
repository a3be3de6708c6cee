"""Another node's GPUs and host: our own poller there, over the user's own ssh."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import threading
import time
from queue import Empty, SimpleQueue

import msgspec

from telemetry.records import GpuDevices, GpuSamples, SourceNote, TelemetryRecord
from telemetry.source import NowNs, plain
from telemetry.source_spec import Node
from telemetry.ssh.clock_offset import ClockOffset
from telemetry.ssh.protocol import MOST_LINE_BYTES, VERSION, ClockAnswer, Hello, Line, cleaned, decode

INTERVAL_NS = 250_000_000
CLOCK_INTERVAL_NS = 5_000_000_000
RETRY_NS = 30_000_000_000
CONNECT_S = 10
FIRST_ANSWER_S = 20.0
FIRST_QUESTIONS = 5
ENOUGH_LINES = 2000
"""The most lines that one `take` takes: a node that floods us is cut, not followed."""


def command(node: Node, target_url: str) -> list[str]:
    """The argument list that runs our poller there. Nothing of it passes through a shell here."""
    there = ["python3", "-m", "telemetry", "--answer"]
    if target_url:
        there += ["--target", target_url]
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}"]
    options += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
    if node.port is not None:
        options += ["-p", str(node.port)]
    if node.user:
        options += ["-l", node.user]
    # The shell there reads one string.
    return ["ssh", *options, "--", node.host, "exec " + shlex.join(there)]


class SshSource:
    """What the poller of another node says, on our clock, until it is closed.

    Args:
        node: where to connect, as `telemetry.source_spec.parse_node` gives it.
        target_url: the server under test, so that the node can mark the GPUs that serve it; empty when its
            address means something else there.
    """

    interval_ns: int | None = INTERVAL_NS

    def __init__(self, node: Node, target_url: str = "") -> None:
        self._node = node
        self._target_url = target_url
        self.name = f"ssh {node.host}"
        self._session: _Session | None = None
        self._retry_ns = 0
        self._told_lost = ""

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Connects, and waits for the node's first word: seconds, with a key that is slow to be found."""
        return self._connect(now_ns)

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        if self._session is None:
            return self._connect(now_ns) if now_ns() >= self._retry_ns else []
        records = self._session.take(now_ns)
        why = self._session.over()
        return [*records, *self._lost(why, now_ns)] if why else records

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _connect(self, now_ns: NowNs) -> list[TelemetryRecord]:
        session = _Session(self._node, self.name)
        why = session.start(command(self._node, self._target_url), now_ns)
        if why:
            session.close()
            return self._lost(why, now_ns)
        self._session = session
        again = "answers again" if self._told_lost else "runs our poller"
        self._told_lost = ""
        text = f"{self.name}: {again}; its clock is known within {session.clock.within_ns / 1e6:.1f} ms"
        return [SourceNote(now_ns(), self.name, True, text), *session.take(now_ns)]

    def _lost(self, why: str, now_ns: NowNs) -> list[TelemetryRecord]:
        if self._session is not None:
            self._session.close()
        self._session, self._retry_ns = None, now_ns() + RETRY_NS
        if why == self._told_lost:
            return []
        self._told_lost = why
        return [SourceNote(now_ns(), self.name, False, f"{self.name}: {why}; tried again every 30 s")]


class _Session:
    """One run of ssh: a thread reads its lines, another its complaints."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: SimpleQueue[tuple[int, Line | str]] = SimpleQueue()
        self._complaint = ""
        self._complained = threading.Event()
        """Set when ssh will write no more to its stderr."""
        self._asked: dict[int, int] = {}
        self._questions = 0
        self._asked_ns = 0
        self._over = ""
        self._threads: list[threading.Thread] = []
        self.clock = ClockOffset()

    def start(self, argv: list[str], now_ns: NowNs) -> str:
        """Returns why there is no poller there, or nothing."""
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as err:
            return f"ssh cannot be started ({plain(err.strerror or str(err))})"
        self._process = process
        for read in (self._read, self._complaints):
            thread = threading.Thread(target=read, args=(process, now_ns), name=self._name, daemon=True)
            thread.start()
            self._threads.append(thread)
        deadline = time.monotonic() + FIRST_ANSWER_S
        held: list[tuple[int, Line]] = []
        greeted = False
        while not (greeted and self._questions >= FIRST_QUESTIONS and not self._asked):
            try:
                received_ns, line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                return f"no answer within {FIRST_ANSWER_S:g} s"
            if isinstance(line, str):
                return line
            if isinstance(line, Hello):
                if line.version != VERSION:
                    return f"its ttftop speaks version {line.version}, ours {VERSION}: install the same there"
                greeted = True
                self._ask(now_ns)
            elif isinstance(line, ClockAnswer):
                self._answered(line, received_ns)
                if self._questions < FIRST_QUESTIONS:
                    self._ask(now_ns)
            else:
                held.append((received_ns, line))
        for one in held:
            self._lines.put(one)
        return ""

    def take(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """What has come since the last call, on our clock."""
        if now_ns() - self._asked_ns >= CLOCK_INTERVAL_NS:
            self._ask(now_ns)
        records: list[TelemetryRecord] = []
        for _ in range(min(self._lines.qsize(), ENOUGH_LINES)):
            received_ns, line = self._lines.get_nowait()
            if isinstance(line, str):
                self._over = line
            elif isinstance(line, ClockAnswer):
                self._answered(line, received_ns)
            elif not isinstance(line, Hello):
                records.append(self._ours(line))
        return records

    def over(self) -> str:
        """Why it ended; empty while it has not."""
        return self._over

    def close(self) -> None:
        process = self._process
        if process is None:
            return
        # The poller there ends with its stdin.
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(timeout=0.3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(timeout=0.3)

    def _ask(self, now_ns: NowNs) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._questions += 1
        self._asked_ns = now_ns()
        if len(self._asked) > 10:
            self._asked.clear()
        self._asked[self._questions] = self._asked_ns
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(f"clock {self._questions}\n".encode())
            self._process.stdin.flush()

    def _answered(self, answer: ClockAnswer, received_ns: int) -> None:
        asked_ns = self._asked.pop(answer.echo, None)
        if asked_ns is not None:
            self.clock.answered(asked_ns, answer.t_ns, received_ns)

    def _ours(self, record: TelemetryRecord) -> TelemetryRecord:
        """On our clock, with the node's name on everything, safe to print."""
        cleaned(record)
        record.t_ns = self.clock.here_ns(record.t_ns)
        record.source = f"{self._name} {record.source}"
        if isinstance(record, SourceNote):
            record.message = f"{self._node.host}: {record.message}"
        # A key without UUID is only good on its own machine.
        if isinstance(record, GpuDevices):
            for device in record.devices:
                device.gpu, device.parent = self._key(device.gpu), self._key(device.parent)
        elif isinstance(record, GpuSamples):
            for sample in record.gpus:
                sample.gpu = self._key(sample.gpu)
        return record

    def _key(self, key: str) -> str:
        return f"{self._node.host} {key}" if "#" in key else key

    def _read(self, process: subprocess.Popen[bytes], now_ns: NowNs) -> None:
        assert process.stdout is not None
        strange = ""
        while line := process.stdout.readline(MOST_LINE_BYTES):
            received_ns = now_ns()
            try:
                self._lines.put((received_ns, decode(line)))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                # A login script that prints; told only if nothing else explains the end.
                strange = plain(line.decode(errors="replace").strip())
        self._lines.put((now_ns(), self._why(process, strange)))

    def _complaints(self, process: subprocess.Popen[bytes], now_ns: NowNs) -> None:
        assert process.stderr is not None
        while line := process.stderr.readline(MOST_LINE_BYTES):
            text = plain(line.decode(errors="replace").strip())
            # ssh's own farewell says less than what stood before it.
            if text and not (self._complaint and text.startswith("Connection to")):
                self._complaint = text
        self._complained.set()

    def _why(self, process: subprocess.Popen[bytes], strange: str) -> str:
        code = process.wait()
        self._complained.wait(timeout=1.0)
        said = self._complaint or strange
        if code == 255:
            hint = "; ttftop asks no passwords: a key must do" if "denied" in said.lower() else ""
            return f"cannot connect ({said or 'ssh gives no reason'}){hint}"
        if "No module named" in said and "telemetry" in said:
            return "ttftop is not installed for the python3 there"
        return f"the poller there ended{f' ({said})' if said else f' with code {code}'}"

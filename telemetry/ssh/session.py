"""One run of ssh and what comes out of it, bounded, on our clock."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from telemetry.bounds import believable
from telemetry.clock_offset import ClockOffset, moved
from telemetry.of_node import named_after
from telemetry.records import SourceNote, TelemetryRecord
from telemetry.source import NowNs, plain, unchanged
from telemetry.source_spec import Node
from telemetry.ssh.allowance import BYTES, COMPLAINT_BYTES, LINES, Allowance
from telemetry.ssh.command import LOOK_THERE, NO_SSH, by_hand, ends_with_us, need_to_start, why_not
from telemetry.ssh.protocol import (
    BEGINNING,
    MOST_LINE_BYTES,
    VERSION,
    ClockAnswer,
    Hello,
    Line,
    cleaned,
    decoded,
)

CLOCK_INTERVAL_NS = 5_000_000_000
FIRST_ANSWER_S = 20.0
FIRST_QUESTIONS = 5
LOOK_S = 0.25
"""So often it is looked whether ssh still lives."""
ENOUGH_LINES = 2000
"""The most lines that one `take` takes."""
MOST_SOURCES = 64
"""Of one node: no poller of ours has more than a few."""
AHEAD_NS = 5_000_000_000
"""A record from later than this, beyond what the clock may be wrong by, is of no clock that we know."""
DRIFT_KNOWN_PPM = 50.0
"""A drift that is known so well is told, once."""
FLOODS = "it sends far more than a poller does: cut off, and not asked again; need this ttftop there"


def known_within(clock: ClockOffset, here_ns: int) -> str:
    """How well its clock is known, in words."""
    return (
        f"its clock is known within {clock.within_ns(here_ns) / 1e6:.1f} ms, "
        f"drift {clock.drift_ppm:+.1f} ppm give or take {clock.drift_within_ppm:.0f}"
    )


class Session:
    """One run of ssh: a thread reads its lines, another its complaints."""

    def __init__(self, node: Node, name: str, redact: Callable[[str], str] = unchanged) -> None:
        self._node = node
        self._name = name
        self._redact = redact
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: SimpleQueue[tuple[int, Line | str]] = SimpleQueue()
        self._complaint = ""
        self._strange = b""
        """A line that is none of ours: told only if nothing else explains the end."""
        self._complained = threading.Event()
        """Set when there is no more to come."""
        self._asked: dict[int, int] = {}
        self._questions = 0
        self._asked_ns = 0
        self._over = ""
        self._sources: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._clock_notes: list[SourceNote] = []
        self._drift_told = False
        self.clock = ClockOffset()

    def start(self, argv: list[str], now_ns: NowNs, interrupted: Callable[[], bool]) -> str:
        """Returns why there is no poller there, or nothing."""
        if shutil.which(argv[0]) is None:
            return NO_SSH
        try:
            process = subprocess.Popen(
                ends_with_us(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as err:
            why = plain(err.strerror or str(err))
            return f"ssh cannot be started ({why}); {need_to_start(err)}"
        self._process = process
        if interrupted():  # before there was a process to kill
            return "interrupted"
        for read in (self._read, self._complaints):
            thread = threading.Thread(target=read, args=(process, now_ns), name=self._name, daemon=True)
            thread.start()
            self._threads.append(thread)
        deadline = time.monotonic() + FIRST_ANSWER_S
        held: list[tuple[int, Line]] = []
        greeted = False
        while not (greeted and self._questions >= FIRST_QUESTIONS and not self._asked):
            try:
                received_ns, line = self._lines.get(timeout=LOOK_S)
            except Empty:
                if process.poll() is not None:
                    return self._why(process)
                if time.monotonic() < deadline:
                    continue
                return f"no answer within {FIRST_ANSWER_S:g} s; need {by_hand(self._node)} to take less"
            if isinstance(line, str):
                return line
            if isinstance(line, Hello):
                if line.version != VERSION:
                    spoken = f"its ttftop speaks version {line.version}, ours {VERSION}"
                    return f"{spoken}; need the same ttftop on both"
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
            elif not isinstance(line, Hello) and (ours := self._ours(line, received_ns)) is not None:
                records.append(ours)
        records += self._clock_notes
        self._clock_notes = []
        # Whoever it left behind may hold its pipes open.
        process = self._process
        ended = process is not None and process.poll() is not None and self._lines.empty()
        if process is not None and ended and not self._over:
            self._over = self._why(process)
        return records

    def over(self) -> str:
        """Why it ended; empty while it has not."""
        return self._over

    def kill(self) -> None:
        """Ends it at once, with all that it started: what hangs while connecting heeds nothing else."""
        process = self._process
        if process is not None:
            if process.returncode is None:
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
            self._lines.put((0, "interrupted"))

    def close(self) -> None:
        process = self._process
        if process is None:
            return
        # The poller there ends with its stdin.
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
        # Whoever it left behind would hold our pipes open.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
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
        if asked_ns is None:
            return
        moved_ns = self.clock.answered(asked_ns, answer.t_ns, received_ns)
        if moved_ns is not None:
            self._drift_told = False
            self._tell_of_clock(received_ns, False, moved([moved_ns]))
        elif not self._drift_told and self.clock.drift_within_ppm <= DRIFT_KNOWN_PPM:
            self._drift_told = True
            self._tell_of_clock(received_ns, True, known_within(self.clock, received_ns))

    def _tell_of_clock(self, t_ns: int, ok: bool, text: str) -> None:
        self._clock_notes.append(SourceNote(t_ns, self._name, ok, f"{self._name}: {text}"))

    def _ours(self, record: TelemetryRecord, received_ns: int) -> TelemetryRecord | None:
        """On our clock, with the node's name on everything, safe to print; None for what cannot be."""
        record.t_ns = self.clock.here_ns(record.t_ns)
        if record.t_ns > received_ns + self.clock.within_ns(received_ns) + AHEAD_NS:
            return None
        cleaned(record, self._redact)
        named_after(record, self._name, self._node.host)
        if record.source not in self._sources and len(self._sources) >= MOST_SOURCES:
            return None
        self._sources.add(record.source)
        return record if believable(record) else None

    def _read(self, process: subprocess.Popen[bytes], now_ns: NowNs) -> None:
        assert process.stdout is not None
        lines, size = Allowance(LINES), Allowance(BYTES)
        greeted = False
        while line := process.stdout.readline(MOST_LINE_BYTES):
            received_ns = now_ns()
            read = decoded(line)
            greeted = greeted or isinstance(read, Hello)
            # What a login script prints before may be a great deal of short lines.
            counts = greeted or BEGINNING in line
            if not size.spend(len(line), received_ns) or (counts and not lines.spend(1, received_ns)):
                self._lines.put((received_ns, FLOODS))
                return
            if read is not None:
                self._lines.put((received_ns, read))
            else:
                self._strange = line
        self._lines.put((now_ns(), self._why(process)))

    def _complaints(self, process: subprocess.Popen[bytes], now_ns: NowNs) -> None:
        assert process.stderr is not None
        size = Allowance(COMPLAINT_BYTES)
        while line := process.stderr.readline(MOST_LINE_BYTES):
            if not size.spend(len(line), now_ns()):
                self._lines.put((now_ns(), FLOODS))
                break
            text = self._plain(line)
            # ssh's own farewell says less than what stood before it.
            if text and not (self._complaint and text.startswith("Connection to")):
                self._complaint = text
        self._complained.set()

    def _plain(self, line: bytes) -> str:
        return plain(self._redact(line.decode(errors="replace").strip()))

    def _why(self, process: subprocess.Popen[bytes]) -> str:
        code = process.wait()
        self._complained.wait(timeout=1.0)
        said = self._complaint or self._plain(self._strange)
        if why := why_not(self._node, code, said, "telemetry"):
            return why
        return f"the poller there ended{f' ({said})' if said else f' with code {code}'}; {LOOK_THERE}"

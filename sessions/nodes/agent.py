"""The process of one node: starts load workers and a poller there, and hands on what they write.

`python -m sessions.nodes.agent [--directory D]`: questions come on stdin and answers go out on stdout as
frames (`sessions.nodes.frames`). It knows nothing of who carries them. Its end of stdin, or SIGTERM, means
that the host is gone: the workers' stdin is closed, they write all they have and end; what was measured
stays in the directory (made in D, else where temporary files go).
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import platform
import queue
import select
import signal
import sys
import threading
import time
from pathlib import Path

import msgspec

from loadgen.version import VERSION as TTFTOP_VERSION
from sessions.calibration.result import cores, valid_here
from sessions.nodes.answers import Answers
from sessions.nodes.frames import FrameError, Frames
from sessions.nodes.messages import (
    READ_MOST_BYTES,
    VERSION,
    ClockQuestion,
    Done,
    Hello,
    HelloAnswer,
    Kill,
    Leave,
    NodeAnswer,
    Put,
    Question,
    Reach,
    Read,
    ReadAnswer,
    Refusal,
    Start,
    StartTelemetry,
    Tell,
    decode_question,
)
from sessions.nodes.network import network_of_this_process, reached
from sessions.nodes.node_files import NodeFiles
from sessions.nodes.node_processes import NodeProcesses

BYTES_WAIT_S = 0.25
"""So long bytes are gathered before a `Read` is answered: few answers, none of them long."""
SILENT_S = 90.0
"""A host that asked nothing for so long is gone. TCP waits twice as long as a cut lasted before it tries
again, so that a network that was away for 30 s may be silent for 60."""
ABANDONED_S = 900.0
"""The same, for an agent whose workers are gone: what they wrote stays, and it ends."""
_ENDS_S = 30.0
"""So long workers are waited for when the host is gone; they end by themselves."""
_TERMINATED_S = 15.0
"""So long after SIGTERM the host may still fetch what there is."""
_LOOK_S = 0.1
_NVIDIA = Path("/proc/driver/nvidia/gpus")

_log = logging.getLogger("sessions.nodes.agent")  # it runs as __main__


class Agent:
    """Answers questions. `take` returns at once; a thread obeys in order, another one reads files."""

    def __init__(self, files: NodeFiles, answers: Answers) -> None:
        self._files, self._answers = files, answers
        self._processes = NodeProcesses(files.directory)
        self._orders: queue.SimpleQueue[tuple[int, Question]] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[tuple[int, Read]] = queue.SimpleQueue()
        self._asked_s = time.monotonic()
        self._exits_given = 0
        self._all_given = False
        self.left = threading.Event()
        """The host has all, and the directory is gone."""
        for run in (self._obey_all, self._read_all):
            threading.Thread(target=run, name=run.__name__, daemon=True).start()

    def take(self, number: int, payload: bytes) -> None:
        self._asked_s = time.monotonic()
        try:
            question = decode_question(payload)
        except (msgspec.MsgspecError, RecursionError) as error:
            why = f"not understood: {str(error)[:100]}"
            self._answers.give(number, Refusal(f"{why}; need the same ttftop on both"))
            return
        if isinstance(question, ClockQuestion):
            self._answers.give_time(number)
        elif isinstance(question, Read):
            self._reads.put((number, question))
            with self._processes.news:  # who asks anew has given up what it asked before
                self._processes.news.notify_all()
        else:
            self._orders.put((number, question))

    def look(self) -> bool:
        """Ends the workers of a host that is silent; True once the agent itself is abandoned."""
        silent_s = time.monotonic() - self._asked_s
        if silent_s > SILENT_S and not self._processes.all_gone:
            _say(f"the host asked nothing for {silent_s:.0f} s: its workers end; see {self._files.directory}")
            self._processes.close_inputs()
        return silent_s > ABANDONED_S

    def terminate(self) -> None:
        """The workers are to end; what they write can still be read."""
        self._processes.close_inputs()

    @property
    def is_done(self) -> bool:
        """No process is left, and the host has been given all."""
        return self._processes.all_gone and self._all_given

    def end(self) -> None:
        """The host is gone: all is written, and stays."""
        if self.left.is_set():
            return
        self._processes.close_inputs()
        self._processes.wait_all_gone(_ENDS_S)
        self._files.forget_put()
        if self._files.behind({}):
            _say(f"the host is gone; what was measured here is in {self._files.directory}")
        else:
            self._files.remove()

    def _obey_all(self) -> None:
        while True:
            number, question = self._orders.get()
            try:
                answer = self._obey(question)
            except OSError as error:
                where = error.filename or self._files.directory
                answer = Refusal(f"{where}: {error.strerror or error}")
            except ValueError as error:
                answer = Refusal(str(error))
            self._answers.give(number, answer)
            if isinstance(question, Leave) and isinstance(answer, Done):
                self.left.set()
                os.kill(os.getpid(), signal.SIGTERM)  # the main thread waits for stdin

    def _obey(self, question: Question) -> NodeAnswer:
        if isinstance(question, Hello):
            return self._hello()
        if isinstance(question, Reach):
            return reached(question)
        if isinstance(question, Put):
            self._files.put(question)
        elif isinstance(question, Start):
            self._processes.start(question)
        elif isinstance(question, StartTelemetry):
            self._processes.start_poller(question)
        elif isinstance(question, Tell):
            for worker, line in question.lines:
                self._processes.tell(worker, line)
        elif isinstance(question, Kill):
            self._processes.kill()
        elif isinstance(question, Leave):
            if not self._processes.all_gone:
                return Refusal("its workers are still there; need Kill first")
            self._files.remove()
        return Done()

    def _hello(self) -> HelloAnswer:
        calibration = valid_here()
        return HelloAnswer(
            version=VERSION,
            ttftop_version=TTFTOP_VERSION,
            python=platform.python_version(),
            host=os.uname().nodename,
            pid=os.getpid(),
            cores=cores(),
            directory=str(self._files.directory),
            calibrated_events_per_s=None if calibration is None else calibration.events_per_s,
            gpus=_gpus(),
            network=network_of_this_process(),
        )

    def _read_all(self) -> None:
        while True:
            number, question = self._reads.get()
            self._answers.give(number, self._read(question))

    def _read(self, question: Read) -> ReadAnswer:
        processes, files = self._processes, self._files
        now = time.monotonic()
        until, gather_until = now + question.wait_s, now + min(question.wait_s, BYTES_WAIT_S)
        while True:
            with processes.news:
                # Exits before bytes: what a process wrote before its end is then among them.
                words, exits = processes.words_from(question.heard), dict(processes.exits)
            gone = processes.all_gone
            behind = files.behind(question.have)
            now = time.monotonic()
            urgent = bool(words) or len(exits) > self._exits_given or not self._reads.empty()
            gathered = behind and (now >= gather_until or behind >= READ_MOST_BYTES or gone)
            if urgent or gathered or now >= until:
                chunks, behind = files.chunks(question.have)
                self._exits_given, self._all_given = len(exits), gone and not chunks
                return ReadAnswer(chunks, words, exits, behind == 0, behind)
            with processes.news:
                known = (len(processes.words) <= question.heard, len(processes.exits) == len(exits))
                if all(known) and self._reads.empty():
                    processes.news.wait(min(until, max(gather_until, now + _LOOK_S)) - now)


def _gpus() -> int | None:
    try:
        return sum(1 for _ in _NVIDIA.iterdir())
    except OSError:
        return None


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"ttftop: {line}", file=sys.stderr, flush=True)


def serve(agent: Agent, stdin: int, wake: int) -> None:
    """Returns when the host is gone or has left, or a signal says so; then once it has been given all."""
    frames, until = Frames(), float("inf")
    while time.monotonic() < until and not (agent.is_done and until < float("inf")):
        ready, _, _ = select.select([stdin, wake], [], [], _LOOK_S if until < float("inf") else 1.0)
        if agent.left.is_set() or agent.look():
            return
        if wake in ready:
            os.read(wake, 1 << 10)
            agent.terminate()
            until = min(until, time.monotonic() + _TERMINATED_S)
        if stdin in ready:
            data = os.read(stdin, 1 << 16)
            if not data:
                return
            try:
                asked = frames.feed(data)
            except FrameError as error:
                _say(str(error))
                return
            for number, payload in asked:
                agent.take(number, payload)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m sessions.nodes.agent")
    arguments.add_argument("--directory", type=Path, help="where to keep what is measured")
    asked = arguments.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Whatever prints must not break the frames.
    stdout = os.dup(1)
    os.dup2(2, 1)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        files = NodeFiles(asked.directory)
    except OSError as error:
        _say(f"{error.filename or asked.directory}: {error.strerror}")
        return 1
    answers = Answers(stdout)
    answers.greet()
    agent = Agent(files, answers)
    serve(agent, 0, wake)
    agent.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())

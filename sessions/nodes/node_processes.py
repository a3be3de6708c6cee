"""Load workers and the poller on a node, as its agent has them: started, told, heard, gone."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

import msgspec

from sessions.nodes.messages import POLLER, WORDS_MOST_BYTES, Start, StartTelemetry
from sessions.nodes.node_files import LOG_FILE
from sessions.own_process import module_command

MOST_WORDS = 20_000
"""Kept, so that a reader that begins anew hears all: a worker says some ten in its life."""
_MOST_WORD_BYTES = 4_000
_POLLER_ENDS_S = 3.0


class NodeProcesses:
    """`news` is notified whenever there is a word more, or a process less; it guards `words` and `exits`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._children: dict[int, _Child] = {}
        self.news = threading.Condition()
        self.words: list[tuple[int, bytes]] = []
        self.exits: dict[int, int] = {}

    @property
    def all_gone(self) -> bool:
        """None runs; also before any did."""
        return len(self.exits) == len(self._children)

    def start(self, question: Start) -> None:
        """Those of the numbers that were not started yet.

        Raises:
            OSError: no process can be started.
        """
        debug = ["--debug"] if question.debug else []
        for number in question.workers:
            self._start(number, "sessions.worker.process", str(self._directory), str(number), *debug)

    def start_poller(self, question: StartTelemetry) -> None:
        """Raises:
        OSError: no process can be started.
        """
        if POLLER not in self._children:
            self._start(POLLER, "sessions.nodes.telemetry", str(self._directory))
            self.tell(POLLER, msgspec.json.encode(question) + b"\n")

    def tell(self, number: int, line: bytes) -> None:
        """One that is not there, or does not listen, is told of by its exit."""
        if (child := self._children.get(number)) is not None:
            child.tell(line)

    def words_from(self, heard: int) -> list[tuple[int, bytes]]:
        """What was said from that word on, as much as an answer holds."""
        found, left = [], WORDS_MOST_BYTES
        for number, line in self.words[max(0, heard) :]:
            left -= len(line)
            if left < 0:
                break
            found.append((number, line))
        return found

    def close_inputs(self) -> None:
        """Their host is gone: they end, and write all."""
        for child in self._children.values():
            child.close_input()

    def kill(self) -> None:
        """The workers at once; the poller has a moment to write what it has."""
        for number, child in self._children.items():
            if number != POLLER:
                child.kill()
            elif number not in self.exits:
                child.close_input()
                timer = threading.Timer(_POLLER_ENDS_S, child.kill)
                timer.daemon = True
                timer.start()

    def wait_all_gone(self, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        with self.news:
            return self.news.wait_for(lambda: self.all_gone, max(0.0, until - time.monotonic()))

    def _start(self, number: int, module: str, *arguments: str) -> None:
        if number in self._children:
            return
        log = os.open(
            self._directory / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            process = subprocess.Popen(
                module_command(module, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # who ends the agent's group leaves them to write what they have
            )
        finally:
            os.close(log)
        self._children[number] = _Child(number, process, self)

    def said(self, number: int, line: bytes) -> None:
        with self.news:
            if len(line) <= _MOST_WORD_BYTES and len(self.words) < MOST_WORDS:
                self.words.append((number, line))
            self.news.notify_all()

    def ended(self, number: int, code: int) -> None:
        with self.news:
            self.exits[number] = code
            self.news.notify_all()


class _Child:
    """One process: a thread hears it, another tells it; one that stands still holds up no other."""

    def __init__(self, number: int, process: subprocess.Popen[bytes], told: NodeProcesses) -> None:
        self._number, self._process, self._told = number, process, told
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        for run in (self._listen, self._write):
            threading.Thread(target=run, name=f"process {number}", daemon=True).start()

    def tell(self, line: bytes) -> None:
        self._lines.put(line)

    def close_input(self) -> None:
        self._lines.put(None)

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(OSError):
                self._process.kill()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline(64 << 10):
            if line.strip():
                self._told.said(self._number, line.rstrip(b"\n"))
        # Its last words come before its end.
        self._told.ended(self._number, self._process.wait())

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(OSError, ValueError):
            while (line := self._lines.get()) is not None:
                pipe.write(line)
                pipe.flush()
        with contextlib.suppress(OSError):
            pipe.close()

"""The process of one load worker: an engine, and a recorder that writes what it emits.

`python -m sessions.worker.process DIRECTORY NUMBER [--debug]`: its configuration comes as the first line on
stdin, commands after it; a few words go out on stdout. The end of stdin means that the supervisor is gone:
the load stops at once.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import msgspec

from loadgen.clock import MonotonicClock
from loadgen.decoding import ready
from loadgen.records import Request, Tick, WorkerNote
from loadgen.target.redaction import Redactor, redactor_of
from loadgen.transport.connection import SocketAddress
from loadgen.transport.pool import Pool
from loadgen.transport.receive_times import TimedReader
from loadgen.transport.source_addresses import why_not
from loadgen.worker.engine import Engine
from loadgen.worker_config import Address, Finish, WorkerCommand, WorkerConfig, all_headers
from sessions.hidden_stderr import hide_in_stderr
from sessions.own_process import CannotStart
from sessions.store.manifest import SessionError
from sessions.worker.pipes import LineFeed, Status, say_line
from sessions.worker.recorder import Recorder

_log = logging.getLogger("sessions.worker.process")  # it runs as __main__
_message = msgspec.json.Decoder(ready(WorkerConfig | WorkerCommand))


def addresses(address: Address) -> list[SocketAddress]:
    """Where to connect, in the order to try.

    Raises:
        OSError: the name cannot be resolved.
    """
    if address.unix_path is not None:
        return [(socket.AF_UNIX, address.unix_path)]
    found: list[SocketAddress] = []
    for host in address.at or (address.host,):
        for family, _, _, _, where in socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM):
            found.append((family, where))
    return found


def raise_descriptor_limit() -> None:
    """One connection a request in flight: the soft limit of 1024 is soon too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            pass


def quiet_garbage() -> None:
    """Keeps the garbage collector out of the way of tokens.

    What is alive now stays alive: a full collection in the middle of a run would cost hundreds of
    milliseconds for nothing, since the path of a request makes no cycles that last. The youngest generation
    is still looked through, rarely: what breaks may leave a cycle behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100_000)


class Worker:
    """Wires stdin, engine and recorder together on one event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, directory: Path, number: int, *, debug: bool = False
    ) -> None:
        self._loop, self._directory, self._number, self._debug = loop, directory, number, debug
        self._recorder = Recorder(directory, number, self._on_disk, self._on_written_again)
        self._engine: Engine | None = None
        self._clock: MonotonicClock | None = None
        self._reader: TimedReader | None = None
        self._gone = asyncio.Event()
        self._bug: Exception | None = None
        self._watching: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serves until the load has ended and all of it is written."""
        await self._loop.connect_read_pipe(
            lambda: LineFeed(self._on_line, self._on_supervisor_lost), sys.stdin
        )
        self._loop.add_signal_handler(signal.SIGTERM, self._stop_now)
        quiet_garbage()  # now, while there is no configuration yet: later the first request would wait for it
        say_line(1, Status("ready"))
        await self._gone.wait()
        if unsaved := self._recorder.close():
            say_line(1, Status("unsaved", unsaved))
        if self._bug is not None:
            raise self._bug
        say_line(1, Status("ended"))

    def _on_line(self, line: bytes) -> None:
        try:
            self._obey(line)
        except Exception as bug:  # the loop would close stdin, as if the supervisor were gone
            self._bug = self._bug or bug
            if self._watching is None:
                self._gone.set()
            else:
                self._stop_now()  # what is under way becomes records

    def _obey(self, line: bytes) -> None:
        message = _message.decode(line)
        if isinstance(message, WorkerConfig):
            self._begin(message)
        elif self._engine is not None:
            _log.info("told: %s", message)
            self._engine.command(message)
        elif isinstance(message, Finish):
            self._gone.set()

    def _begin(self, config: WorkerConfig) -> None:
        self._clock = MonotonicClock(config.origin_ns)
        redactor = redactor_of(all_headers(config))
        hide_in_stderr(redactor)
        if self._debug:
            self._open_debug_log(config, redactor)
        try:
            pools = self._pools(config, self._clock)
        except OSError as error:
            say_line(1, Status("refused", error.strerror or str(error)))
            self._gone.set()
            return
        first, *others = pools
        self._engine = Engine(config, self._clock, self._loop, first, self._emit, self._on_failing, others)
        self._reader = first.reader
        self._engine.on_idle = lambda stage: say_line(1, Status("idle", stage=stage))
        self._engine.start()
        _log.info("started %s", config.load)
        self._note_clock()
        say_line(1, Status("started"))
        self._watching = self._loop.create_task(self._watch(self._engine))

    def _pools(self, config: WorkerConfig, clock: MonotonicClock) -> list[Pool]:
        """Of each target by its number.

        Raises:
            OSError: one cannot be connected to; says which.
        """
        pools: list[Pool] = []
        for address in [target.address for target in config.targets] or [config.address]:
            try:
                where = addresses(address)
                tls = None
                if address.tls:
                    from loadgen.target.tls_context import context_of

                    tls = context_of(address)
            except OSError as error:
                raise OSError(error.errno, f"{address.host}: {error.strerror or error}") from None
            for source in address.sources:  # of the machine that we are on, which may be another than before
                if why := why_not(source):
                    raise OSError(None, f"--source-address: {source}: {why}")
            pool = Pool(
                self._loop,
                clock,
                where,
                tls,
                address.server_name or address.host,
                config.deadlines.connect_s,
                address.tunnel,
                turn=config.worker if address.at else None,
                through_proxy=address.proxy,
                sources=address.sources,
                beside=pools[0] if pools else None,
            )
            _log.info("connecting to %s", where)
            pools.append(pool)
        return pools

    def _open_debug_log(self, config: WorkerConfig, redactor: Redactor) -> None:
        from sessions.store.debug_log import open_debug_log

        name = f"worker-{self._number}"
        try:
            open_debug_log(self._directory, name, config.origin_ns, redactor)
        except SessionError:  # the disk is full, say: the load goes on without a log of it
            return
        _log.info("pid %d, %s.%s", os.getpid(), type(self._loop).__module__, type(self._loop).__name__)

    async def _watch(self, engine: Engine) -> None:
        await engine.ended.wait()
        _log.info("the load has ended")
        self._note_clock()
        self._gone.set()

    def _emit(self, record: Tick | Request | WorkerNote) -> None:
        self._recorder.emit(record)
        if isinstance(record, Tick) and self._reader is not None:
            for t_ns, moved_ns in self._reader.steps():
                way = "back" if moved_ns < 0 else "forward"
                message = f"{way} by {abs(moved_ns) / 1e6:,.1f} ms; times around it are those of the reads"
                self._recorder.emit(WorkerNote(t_ns, self._number, "clock_stepped", message))

    def _note_clock(self) -> None:
        """Says how exact the kernel's times are, once translated: at the start and at the end."""
        if self._clock is not None and self._reader is not None:
            error_ns = self._reader.error_ns
            self._recorder.emit(
                WorkerNote(self._clock.now_ns(), self._number, "clock", clock_error_ns=error_ns)
            )

    def _stop_now(self) -> None:
        if self._engine is None:
            self._gone.set()
        else:
            self._engine.command(Finish(0.0))

    def _on_supervisor_lost(self) -> None:
        _log.info("the supervisor is gone")
        if self._engine is not None and self._clock is not None and not self._engine.ended.is_set():
            self._recorder.emit(
                WorkerNote(self._clock.now_ns(), self._number, "host_lost", "the supervisor is gone")
            )
        self._stop_now()

    def _on_written_again(self, file: str) -> None:
        _log.info("%s was removed, and is written again", file)
        say_line(1, Status("again", file))

    def _on_failing(self, words: str) -> None:
        _log.info("all fails: %s", words)
        say_line(1, Status("failing", words))

    def _on_disk(self, trouble: str) -> None:
        _log.info("disk: %s", trouble or "takes data again")
        say_line(1, Status("disk", trouble))


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop where it can be had: it wakes up cheaper (docs/measured/performance.md); else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    made: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return made


def main() -> int:
    directory, number = Path(sys.argv[1]), int(sys.argv[2])
    # Ctrl-C and a lost terminal are the supervisor's business; its word reaches us on stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_descriptor_limit()
    loop = new_loop()
    try:
        loop.run_until_complete(Worker(loop, directory, number, debug="--debug" in sys.argv[3:]).run())
    except (SessionError, CannotStart) as error:
        say_line(1, Status("refused", str(error)))
        return 1
    finally:
        loop.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

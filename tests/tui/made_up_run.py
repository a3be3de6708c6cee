"""A made-up run for the screen: a server with a knee at 24 requests per second, ramped until it breaks.

Deterministic: every figure is a function of session time, so that a frame of one instant is always the same.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from loadgen.records import Request
from sessions.curve.memory import CurveMemory
from sessions.frame.request_list import RequestList
from sessions.frame.schema import Band, ChartMark, Frame, Gpu, Server, Stat
from sessions.plan.config import LoadConfig
from sessions.run.commands import Ack, AddMark, Answer, Command, CommandError, LoadCommand, Refusal
from sessions.run.load_control import LoadControl
from sessions.steady.verdict import Window
from sessions.store.manifest import Manifest
from sessions.store.request_line import Looked, Sought
from sessions.timeline.requests import RequestColumns
from sessions.timeline.timeline import Timeline

S = 1_000_000_000
CAPACITY_RPS = 24.0
START_NS = 2 * S


def noise(t: np.ndarray, seed: float) -> np.ndarray:
    """-1 to 1, the same for the same time."""
    return np.sin(t * 12.9898 + seed * 78.233) * np.cos(t * 4.1414 + seed)


@dataclass
class FakeView:
    """Live for as long as `running` says so; `clock` gives seconds since the session's origin."""

    clock: Callable[[], float]
    running: bool = True
    gpus: int = 1
    server: bool = True
    closed_loop: bool = False
    note: str = ""
    saturated: bool = False
    evil: str = ""
    """Put into every text that a server, a file or a host could have written."""
    chunk_gap: bool = False
    nothing: bool = False
    steps: list[tuple[float, float]] = field(default_factory=lambda: [(2.0, 4.0)])
    marks: list[ChartMark] = field(default_factory=list)
    state: str = "running"
    frames: int = 0
    polls_true: bool = True
    ended_s: float | None = None
    window: Window | None = None
    timeline: Timeline = field(default_factory=Timeline)
    requests: RequestColumns = field(default_factory=RequestColumns)
    requests_read: float = 1.0
    read_share: float = 1.0
    lines: dict[Sought, Request] = field(default_factory=dict)
    """What `request` finds; any other is still looked for."""
    manifest: Manifest | None = None
    refuses_notes: str = ""
    _list: RequestList | None = None

    @property
    def curve(self) -> CurveMemory:
        return self.__dict__.setdefault("_curve", CurveMemory(self))

    @property
    def first_ns(self) -> int:
        return START_NS

    @property
    def last_ns(self) -> int:
        now = self.clock() if self.ended_s is None else self.ended_s
        return int(now * 4) * S // 4

    @property
    def live(self) -> bool:
        return self.running

    @property
    def request_list(self) -> RequestList:
        if self._list is None:
            self._list = RequestList(self.requests)
        return self._list

    def add_request(self, request: Request) -> None:
        self.requests.add(request)
        self.lines[Sought(request.worker, request.index, request.due_ns, request.end_ns)] = request

    def request(self, sought: Sought) -> Looked:
        found = self.lines.get(sought)
        return Looked(found, found is not None)

    def set_mark(self, at_ns: int, text: str) -> str:
        if self.refuses_notes:
            return self.refuses_notes
        self.marks = sorted([*self.marks, ChartMark(at_ns, None, "mark", text)], key=lambda mark: mark.t_ns)
        return ""

    def poll(self) -> bool:
        moved = self.last_ns != getattr(self, "_seen_ns", None)
        self._seen_ns = self.last_ns
        return moved and self.polls_true

    # -- the made-up server

    def rate(self, t: np.ndarray) -> np.ndarray:
        at_s, rps = np.array([(-np.inf, 0.0), *self.steps]).T
        return rps[np.searchsorted(at_s, t, side="right") - 1]

    def load(self, t: np.ndarray) -> np.ndarray:
        """Utilisation of the server, smoothed over some seconds."""
        return self.rate(t - np.array([[0.0], [0.7], [1.5], [2.5]])).mean(axis=0) / CAPACITY_RPS

    def ttft_ms(self, t: np.ndarray) -> Band:
        rho = np.minimum(self.load(t), 1.35)
        base = 42 + 55 * rho / np.maximum(1.06 - rho, 0.05) + 2200 * np.maximum(rho - 1.0, 0)
        p50 = base * (1 + 0.06 * noise(t, 1))
        p95 = p50 * (1.6 + 0.5 * rho + 0.12 * noise(t, 2))
        p99 = p95 * (1.35 + 0.25 * np.abs(noise(t, 3)))
        return _gapped(t, Band(p50, p95, p99))

    def itl_ms(self, t: np.ndarray) -> Band:
        rho = np.minimum(self.load(t), 1.2)
        p50 = (11 + 14 * rho**2) * (1 + 0.03 * noise(t, 4))
        p95 = p50 * (1.25 + 0.3 * rho + 0.05 * noise(t, 5))
        p99 = p95 * (1.3 + 0.8 * np.maximum(rho - 0.6, 0) + 0.2 * np.abs(noise(t, 6)))
        return _gapped(t, Band(p50, p95, p99))

    def gpu(self, index: int, t: np.ndarray, at_s: float) -> Gpu:
        def series(of: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, float]:
            return np.where(t >= 0, of(t), np.nan), float(of(np.array([at_s]))[0])

        util, util_now = series(lambda x: np.clip(25 + 75 * self.load(x) + 4 * noise(x, index), 0, 100))
        memory, memory_now = series(lambda x: np.clip(62 + 30 * self.load(x), 0, 97))
        power, power_now = series(
            lambda x: np.clip(180 + 460 * self.load(x) + 12 * noise(x, index + 9), 90, 700)
        )
        heat, heat_now = series(lambda x: 44 + 24 * np.minimum(self.load(x - 6), 1.2) + 0.4 * index)
        total = 80 * 2**30
        return Gpu(
            label=self.evil or str(index),
            name=self.evil or "NVIDIA H100 80GB HBM3",
            util_pct=util_now,
            memory_used_bytes=int(total * memory_now / 100),
            memory_reserved_bytes=int(0.6 * 2**30),
            memory_total_bytes=total,
            power_w=power_now,
            power_limit_w=700.0,
            temperature_c=heat_now,
            sm_clock_mhz=1755.0,
            memory_clock_mhz=2619.0,
            util=util,
            memory_pct=memory,
            power=power,
            temperature=heat,
            age_s=0.2,
            stale=False,
        )

    def frame(self, at_ns: int, window_ns: int, slots: int, start_ns: int | None = None) -> Frame:
        self.frames += 1
        slot_ns = window_ns // slots
        if start_ns is None:
            start_ns = -(-at_ns // slot_ns) * slot_ns - slots * slot_ns
        t = (start_ns + (np.arange(slots) + 0.5) * slot_ns) / S
        at_s = at_ns / S
        unseen = (t - slot_ns / S / 2 >= at_s) | (t < START_NS / S) | self.nothing

        def shown(values: np.ndarray) -> np.ndarray:
            return np.where(unseen, np.nan, values)

        def band(of: Band) -> Band:
            return Band(shown(of.p50), shown(of.p95), shown(of.p99))

        now = np.array([at_s])
        began = at_s > START_NS / S and not self.nothing
        rps = float(self.rate(now)[0])
        rho = float(self.load(now)[0])
        done_rps = min(rps, CAPACITY_RPS)
        sent = round(sum(self.rate(np.arange(0, max(at_s, 0), 0.25))) / 4) if began else 0
        failed = max(round((at_s - 70) * 1.5), 0) if began and rho > 1.05 else 0
        flight = self._in_flight(t)
        marks = [
            ChartMark(m.t_ns, _slot(m.t_ns, start_ns, slot_ns, slots), m.kind, self.evil or m.label)
            for m in self.marks
            if m.t_ns <= at_ns
        ]
        wait = np.maximum(self._in_flight(t) - 96, 0)
        flight_now = self._in_flight(now)[0]
        return Frame(
            session=self.evil or "friendly-otter",
            target=self.evil or "http://127.0.0.1:8000",
            model=self.evil or "llama-3.1-8b-instruct",
            simulated=True,
            state=self.evil or (self.state if began else "starting"),
            state_message=self.evil,
            unreachable_since_ns=None,
            at_ns=at_ns,
            first_ns=self.first_ns,
            last_ns=self.last_ns,
            live=self.live,
            start_ns=start_ns,
            slot_ns=slot_ns,
            slots=slots,
            closed_loop=self.closed_loop,
            rate_rps=None if self.closed_loop else rps,
            concurrency=round(rps) if self.closed_loop else None,
            due_rps=rps if began else None,
            achieved_rps=rps * 0.995 if began else None,
            completed_rps=done_rps * 0.98 if began else None,
            in_flight=round(flight_now) if began else 0,
            backlog=0,
            due=sent,
            sent=sent,
            succeeded=max(sent - round(flight_now) - failed, 0),
            failed=failed,
            not_sent=0,
            stale_retries=0,
            errors={self.evil or "http_503": failed} if failed else {},
            output_tps=done_rps * 128 if began else None,
            only_input=False,
            input_tps=done_rps * 256 if began else None,
            tokens_per_chunk=3.2 if self.chunk_gap else 1.0,
            itl_is_chunk_gap=self.chunk_gap,
            recent_s=10.0,
            ttft_recent=_stat(self.ttft_ms(now), round(rps * 10)) if began else Stat(),
            ttft_run=_stat(self.ttft_ms(np.array([at_s / 2])), sent) if began else Stat(),
            itl_recent=_stat(self.itl_ms(now), round(rps * 1280)) if began else Stat(),
            itl_run=_stat(self.itl_ms(np.array([at_s / 2])), sent * 128) if began else Stat(),
            send_lag_recent=Stat(round(rps * 10), 0.21, 0.6, 1.4),
            ttft=band(self.ttft_ms(t)),
            itl=band(self.itl_ms(t)),
            offered=shown(self.rate(t)),
            achieved=shown(np.minimum(self.rate(t), 30) * (1 + 0.08 * noise(t, 7))),
            output_tokens=shown(np.minimum(self.rate(t), CAPACITY_RPS) * 128 * (1 + 0.05 * noise(t, 8))),
            input_tokens=shown(np.minimum(self.rate(t), CAPACITY_RPS) * 256),
            in_flight_series=shown(flight),
            failed_series=shown(np.zeros(slots)),
            gpus=tuple(self.gpu(i, np.where(unseen, -1.0, t), at_s) for i in range(self.gpus)),
            gpu_note="" if self.gpus else self.evil or "no NVIDIA driver here (libnvidia-ml.so.1 not found)",
            server=Server(
                running=min(round(flight_now), 96),
                waiting=max(round(flight_now) - 96, 0),
                kv_pct=min(rho * 88, 99.0),
                preemptions_per_s=2.5 if rho > 1.1 else 0.0,
                kv=shown(np.clip(self.load(t) * 88, 0, 99)),
                waiting_series=shown(wait),
            )
            if self.server
            else Server(),
            window=self.window,
            marks=tuple(marks),
            client_saturated=self.saturated,
            client_note=self.evil or self.note,
        )

    def _in_flight(self, t: np.ndarray) -> np.ndarray:
        rho = self.load(t)
        return np.rint(
            self.rate(t) * (1.6 + 0.6 * rho) + 900 * np.maximum(rho - 1.0, 0) + 2 * noise(t, 11)
        ).clip(0)


def _gapped(t: np.ndarray, band: Band) -> Band:
    """Nothing was observed from 31 to 34 s: as when a server hangs."""
    hole = (t >= 31) & (t < 34)
    return Band(*(np.where(hole, np.nan, values) for values in (band.p50, band.p95, band.p99)))


def _slot(t_ns: int, start_ns: int, slot_ns: int, slots: int) -> int | None:
    slot = (t_ns - start_ns) // slot_ns
    return slot if 0 <= slot < slots else None


def _stat(band: Band, count: int) -> Stat:
    p50, p95, p99 = (float(values[0]) for values in (band.p50, band.p95, band.p99))
    if math.isnan(p50):
        return Stat()
    thin = frozenset(name for name, need in (("p50", 11), ("p95", 130), ("p99", 662)) if count < need)
    return Stat(count, p50, p95, p99, thin)


RAMP = ((2.0, 4.0), (14.0, 8.0), (26.0, 12.0), (40.0, 16.0), (52.0, 20.0), (64.0, 26.0), (80.0, 20.0))


def ramped(clock: Callable[[], float], **more: Any) -> FakeView:
    """A run whose load was raised step by step past the knee, and lowered again."""
    view = FakeView(clock, steps=list(RAMP), **more)
    view.marks = [ChartMark(START_NS, None, "state", "running")]
    for (_, before), (at_s, after) in pairwise(RAMP):
        view.marks.append(ChartMark(int(at_s * S), None, "load", f"{before:g} -> {after:g} rps"))
    view.marks.append(ChartMark(46 * S, None, "mark", "warm now"))
    view.marks.append(ChartMark(69 * S, None, "warning", "KV cache above 95 %"))
    view.marks.sort(key=lambda mark: mark.t_ns)
    return view


@dataclass
class FakeControl:
    """Obeys at once as a run does, and keeps what it was told. `refuse` is the reason of the next refusal."""

    view: FakeView
    sent: list[Command] = field(default_factory=list)
    refuse: str = ""
    applies: bool = True
    """False: answers, and shows nothing yet, as a run that has not caught up."""
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, a command is not even answered."""
    _load: LoadControl | None = None

    def __post_init__(self) -> None:
        self.answers.set()

    async def send(self, command: Command) -> Answer:
        self.sent.append(command)
        await self.answers.wait()
        if self.refuse:
            return Refusal(self.refuse)
        now_ns = int(self.view.clock() * S)
        if not isinstance(command, LoadCommand):
            if isinstance(command, AddMark):
                self.view.marks.append(ChartMark(now_ns, None, "mark", command.text))
            return Ack(now_ns, self.view.state)
        try:
            update = self._load_control().obey(command, now_ns)
        except CommandError as error:
            return Refusal(str(error))
        change = update.change
        if self.applies:
            load = change.concurrency if self.view.closed_loop else change.rate_rps
            self.view.steps.append((change.t_ns / S, float(load or 0)))
            self.view.marks.append(ChartMark(change.t_ns, None, "load", change.label))
            self.view.state = update.state
        return Ack(change.t_ns, update.state, change.rate_rps, change.concurrency)

    def _load_control(self) -> LoadControl:
        if self._load is None:
            load = float(self.view.rate(np.array([self.view.clock()]))[0])
            config = (
                LoadConfig(concurrency=round(load)) if self.view.closed_loop else LoadConfig(rate_rps=load)
            )
            self._load = LoadControl(config, START_NS)
        return self._load

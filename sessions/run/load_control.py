"""What a command does to the load, as values: a command in, a worker command and a record of it out.

It alone knows where the load stands (rate or concurrency, held or not): a step counts from there, whoever
sends it. It holds nothing else: no sockets, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.arrivals.load import ClosedLoad, Load, OpenLoad, Segment, TraceLoad
from loadgen.arrivals.rate_curve import Curve, ramp, steady
from loadgen.worker_config import SetLoad
from loadgen.worker_config import Stage as WorkerStage
from loadgen.workload.spec import WorkloadSpec
from sessions.plan.config import LoadConfig
from sessions.plan.stages import Stage
from sessions.plan.trace_config import TraceConfig
from sessions.plan.typed_values import LEAST_SECONDS, MOST_SECONDS
from sessions.run.commands import (
    CommandError,
    LoadCommand,
    Resume,
    SetConcurrency,
    SetRamp,
    SetRate,
    StepLoad,
    Stop,
)
from sessions.run.conversations import Conversations
from sessions.run.load_increments import stepped_concurrency, stepped_rate
from sessions.store.records import LoadChange
from sessions.worker.states import LEAD_NS as LEAD_NS

_NOTHING_SENT = "nothing is being sent: resume it, or set a load"


@dataclass(frozen=True)
class LoadUpdate:
    """What to tell the workers, what to write down, and the state the run is in then."""

    command: SetLoad
    change: LoadChange
    state: str


def opening(load: LoadConfig, start_ns: int, conversations: Conversations | None = None) -> Load:
    """The load a run begins with."""
    first = load_from(load, start_ns)
    return first if conversations is None else conversations.over(first)


def trace_load(trace: TraceConfig, curve: list[Segment]) -> TraceLoad:
    """A trace that was read, along a curve."""
    assert trace.figures is not None
    return TraceLoad(trace.compiled, trace.figures.rate_rps, curve)


def load_from(asked: LoadConfig | Stage, at_ns: int) -> OpenLoad | ClosedLoad | TraceLoad:
    """The load of a run, or of a stage, that begins at `at_ns`."""
    if asked.concurrency is not None:
        return ClosedLoad(asked.concurrency)
    if (r := asked.ramp) is not None:
        curve = ramp(at_ns, r.from_rps, r.to_rps, r.over_s, r.shape)
        return OpenLoad(asked.arrivals, curve, asked.burstiness)
    assert asked.rate_rps is not None  # one of the three, as `Stage` says, or with a trace
    flat = [steady(at_ns, asked.rate_rps)]
    if asked.trace is not None:
        return trace_load(asked.trace, flat)
    return OpenLoad(asked.arrivals, flat, asked.burstiness)


class LoadControl:
    """Carries out commands one by one, on one of two kinds of load: a rate that may change, or slots."""

    def __init__(
        self,
        load: LoadConfig,
        start_ns: int,
        workers: int = 1,
        conversations: Conversations | None = None,
    ) -> None:
        """`workers`: how many share the load; `conversations`: what its requests are turns of."""
        self._conversations = conversations
        # Each has its own part of the requests: one without a slot would never come to the end of it.
        self._least_concurrency = 1 if load.requests is None else workers
        self._max_rate_rps, self._max_in_flight = load.max_rate_rps, load.max_in_flight
        self._arrivals, self._burstiness, self._trace = load.arrivals, load.burstiness, load.trace
        self._curve: Curve | None = None
        self._concurrency = 0
        first = load_from(load, start_ns)
        if isinstance(first, ClosedLoad):
            self._concurrency = first.concurrency
        else:
            self._curve = Curve(first.curve)
        self._stage_word = "stage"
        self._held: float | None = None
        """The load to go back to; None while it is not held or stopped."""
        self._paused_as = "holding"
        """Why: `holding`, `stopped`, or `draining` behind a stage of a plan."""
        self._start_ns, self._ramp = start_ns, load.ramp if self._curve is not None else None
        """The ramp it began with."""
        self._ramp_end_ns = start_ns + round(self._ramp.over_s * 1e9) if self._ramp is not None else start_ns
        """When the ramp that is on is over; in the past where there is none."""

    def started(self) -> LoadChange:
        """The record of the load's beginning."""
        if self._curve is None:
            return LoadChange(
                self._start_ns,
                "start",
                concurrency=self._concurrency,
                label=f"start at concurrency {self._concurrency}",
            )
        rate, label = self._curve.rate_rps(self._start_ns), ""
        if (r := self._ramp) is not None:
            label = f"ramp from {r.from_rps:g} to {r.to_rps:g} rps in {r.over_s:g} s"
        elif self._trace is not None:
            label = self._trace.words
        return LoadChange(self._start_ns, "start", rate_rps=rate, label=label or f"start at {rate:g} rps")

    def rate_rps(self, at_ns: int) -> float | None:
        """Offered at `at_ns`; None in a closed loop."""
        return None if self._curve is None else self._curve.rate_rps(at_ns)

    @property
    def concurrency(self) -> int | None:
        """None in an open loop."""
        return self._concurrency if self._curve is None else None

    def begin_stage(
        self,
        number: int,
        of: int | None,
        stage: Stage,
        workload: WorkloadSpec,
        at_ns: int,
        conversations: Conversations | None = None,
    ) -> LoadUpdate:
        """The load of stage `number` (from 0) of `of`, whatever it was before; of None: it is a step of a
        search, and nobody knows how many there will be."""
        load = load_from(stage, at_ns)
        self._held, self._ramp_end_ns = None, at_ns
        self._stage_word = "step" if of is None else "stage"
        which = f"{number + 1}" if of is None else f"{number + 1}/{of}"
        record = LoadChange(at_ns, "stage", label=f"{self._stage_word} {which}: {stage.name}")
        self._trace, self._conversations = stage.trace, conversations
        if isinstance(load, ClosedLoad):
            self._curve, self._concurrency = None, load.concurrency
            record.concurrency = load.concurrency
        else:
            self._arrivals, self._burstiness = stage.arrivals, stage.burstiness
            self._curve = Curve(load.curve)
            record.rate_rps = self._curve.rate_rps(at_ns)
        end_ns = None if stage.duration_s is None else at_ns + round(stage.duration_s * 1e9)
        told = WorkerStage(number, workload, end_ns, stage.requests)
        return LoadUpdate(SetLoad(at_ns, self._told(load), stage=told), record, "running")

    def end_stage(self, at_ns: int) -> LoadChange:
        """The record of a stage's end: nothing more is due, as the workers know by themselves."""
        self._held, self._paused_as = self._load(at_ns), "draining"
        record = LoadChange(at_ns, "stage_end", label=f"{self._stage_word} over")
        if self._curve is None:
            record.concurrency, record.previous_concurrency, self._concurrency = 0, self._concurrency, 0
        else:
            record.rate_rps, record.previous_rate_rps = 0.0, self._curve.rate_rps(at_ns)
            self._curve = self._curve.cut(at_ns, [steady(at_ns, 0.0)])
        return record

    def obey(self, command: LoadCommand, received_ns: int, lead_ns: int = LEAD_NS) -> LoadUpdate:
        """Carries out `command`, `lead_ns` after it was received, so that every worker hears of it before.

        Raises:
            CommandError: out of range, not of this kind of loop, or there is nothing to step or resume.
        """
        at_ns = received_ns + lead_ns
        if isinstance(command, SetRate):
            if self._curve is None:
                raise CommandError(f"rate: got {command.rate_rps:g} in a closed loop, need a concurrency")
            return self._change(at_ns, received_ns, command.rate_rps)
        if isinstance(command, SetRamp):
            return self._go_over(command, at_ns, received_ns)
        if isinstance(command, SetConcurrency):
            if self._curve is not None:
                raise CommandError(f"concurrency: got {command.concurrency} in an open loop, need a rate")
            return self._change(at_ns, received_ns, command.concurrency)
        if isinstance(command, StepLoad):
            return self._change(at_ns, received_ns, self._stepped(at_ns, command.steps))
        if isinstance(command, Resume):
            return self._resume(at_ns, received_ns)
        return self._pause(at_ns, received_ns, stop=isinstance(command, Stop))

    def check_workload(self) -> None:
        """Raises:
        CommandError: requests are those of a trace or of conversations, which say what each asks for; or a
            plan is between two stages, and would be left without a load.
        """
        if self._held is not None and self._paused_as == "draining":
            raise CommandError(_NOTHING_SENT)
        if self._trace is not None:
            raise CommandError(
                f"the trace {self._trace.name} says what requests ask for; need a run without one"
            )
        if self._conversations is not None:
            raise CommandError(
                "what turns of conversations ask for cannot change; need a run without --turns"
            )

    def ask_for(
        self, workload: WorkloadSpec, name: str, received_ns: int, lead_ns: int = LEAD_NS
    ) -> LoadUpdate:
        """From now on requests ask for something else; as many are due as before."""
        at_ns = received_ns + lead_ns
        record = LoadChange(at_ns, "workload", received_ns=received_ns, label=f"workload: {name}")
        if self._curve is None:
            load: Load = ClosedLoad(self._concurrency)
            record.concurrency = record.previous_concurrency = self._concurrency
        else:
            load = OpenLoad(self._arrivals, self._curve.rest(at_ns), self._burstiness)
            record.rate_rps = record.previous_rate_rps = self._curve.rate_rps(at_ns)
        state = "running" if self._held is None else self._paused_as
        return LoadUpdate(SetLoad(at_ns, load, workload=workload), record, state)

    def _load(self, at_ns: int) -> float:
        return self._concurrency if self._curve is None else self._curve.rate_rps(at_ns)

    def _stepped(self, at_ns: int, steps: int) -> float:
        if self._held is not None:  # less load must not start any
            raise CommandError(_NOTHING_SENT)
        if self._curve is None:
            return stepped_concurrency(self._concurrency, steps)
        return stepped_rate(self._curve.rate_rps(at_ns), steps)

    def _change(self, at_ns: int, received_ns: int, load: float) -> LoadUpdate:
        before = self._load(at_ns)
        if self._curve is None:
            least, most = self._least_concurrency, self._max_in_flight
            if not least <= load <= most:
                why = " (load workers, each with its part of --requests)" if least > 1 else ""
                allowed = f"from {least}{why} to {most} (--max-in-flight)"
                raise CommandError(f"concurrency: got {load:.0f}, need a whole number {allowed}")
            return self._set(at_ns, received_ns, load, "concurrency", f"concurrency {before:g} -> {load:g}")
        if not 0 < load <= self._max_rate_rps:
            raise CommandError(f"rate: got {load:g}, need above 0 and at most {self._max_rate_rps:g}")
        return self._set(at_ns, received_ns, load, "rate", f"{_short(before)} -> {_short(load)} rps")

    def _go_over(self, command: SetRamp, at_ns: int, received_ns: int) -> LoadUpdate:
        """From the rate of that instant, or from the one that was asked for, to another."""
        if self._curve is None:
            raise CommandError(f"ramp: got {command.to_rps:g} rps in a closed loop, need a concurrency")
        if self._trace is not None:
            raise CommandError(
                f"ramp: the trace {self._trace.name} says when requests are due; need its speed, as 2x"
            )
        begin, end, over_s = command.from_rps, command.to_rps, command.over_s
        for rate_rps in (end,) if begin is None else (begin, end):
            if not 0 < rate_rps <= self._max_rate_rps:
                allowed = f"above 0 and at most {self._max_rate_rps:g}"
                raise CommandError(f"ramp: got {rate_rps:g} rps, need {allowed}")
        if not LEAST_SECONDS <= over_s <= MOST_SECONDS:
            raise CommandError(f"ramp: got {over_s:g} s, need a time from 1 ms to ten years")
        before = self._curve.rate_rps(at_ns)
        begin = before if begin is None else begin
        if command.shape == "exp" and begin <= 0:
            raise CommandError(
                "ramp: one that grows by a factor cannot begin at 0; need its begin, like 1..32/60s:exp"
            )
        segments = ramp(at_ns, begin, end, over_s, command.shape)
        label = f"ramp from {_short(begin)} to {_short(end)} rps in {over_s:g} s"
        return self._put(at_ns, received_ns, segments, "ramp", label)

    def _pause(self, at_ns: int, received_ns: int, *, stop: bool) -> LoadUpdate:
        if self._held is None:
            self._held = self._load(at_ns)
        name = "stop" if stop else "hold"
        self._paused_as = "stopped" if stop else "holding"
        return self._set(at_ns, received_ns, 0, name, name, drop_backlog=stop)

    def _resume(self, at_ns: int, received_ns: int) -> LoadUpdate:
        if self._held is None:
            raise CommandError("nothing is held or stopped; need one of them before a resume")
        load = self._held
        label = f"resume {load:g}" if self._curve is None else f"resume {_short(load)} rps"
        return self._set(at_ns, received_ns, load, "resume", label)

    def _set(
        self,
        at_ns: int,
        received_ns: int,
        load: float,
        change: str,
        label: str,
        *,
        drop_backlog: bool = False,
    ) -> LoadUpdate:
        if self._curve is not None:
            return self._put(
                at_ns, received_ns, [steady(at_ns, load)], change, label, drop_backlog=drop_backlog
            )
        before, slots = self._concurrency, int(load)
        self._concurrency = slots
        record = LoadChange(at_ns, change, received_ns=received_ns, label=label)
        record.concurrency, record.previous_concurrency = slots, before
        command = SetLoad(at_ns, self._told(ClosedLoad(slots)), drop_backlog)
        return LoadUpdate(command, record, self._state_after(load, change))

    def _put(
        self,
        at_ns: int,
        received_ns: int,
        segments: list[Segment],
        change: str,
        label: str,
        *,
        drop_backlog: bool = False,
    ) -> LoadUpdate:
        """Another curve of the rate from `at_ns` on."""
        assert self._curve is not None
        before = self._curve.rate_rps(at_ns)
        self._curve = self._curve.cut(at_ns, segments)
        rate_rps = self._curve.rate_rps(at_ns)
        label += " (ends the ramp)" if at_ns < self._ramp_end_ns else ""
        self._ramp_end_ns = segments[-1].start_ns
        record = LoadChange(at_ns, change, received_ns=received_ns, label=label)
        record.rate_rps, record.previous_rate_rps = rate_rps, before
        changed: Load = OpenLoad(self._arrivals, segments, self._burstiness)
        if self._trace is not None:
            changed = trace_load(self._trace, segments)
        state = self._state_after(segments[-1].to_rps, change)
        return LoadUpdate(SetLoad(at_ns, self._told(changed), drop_backlog), record, state)

    def _state_after(self, load: float, change: str) -> str:
        if load > 0:
            self._held = None
            return "running"
        return "stopped" if change == "stop" else "holding"

    def _told(self, load: Load) -> Load:
        """What the workers are told: requests, or conversations that begin when those would."""
        return load if self._conversations is None else self._conversations.over(load)


def _short(rate: float) -> str:
    return f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"

"""The lines that the supervisor writes to `host.jsonl`, and the union of every line a session may hold."""

from __future__ import annotations

import msgspec

from loadgen.records import Request, Tick, WorkerNote
from telemetry.records import GpuDevices, GpuEvent, GpuSamples, HostSample, ServerSample, SourceNote


class State(msgspec.Struct, tag="state", tag_field="kind", omit_defaults=True):
    """The run changed state."""

    t_ns: int
    state: str
    """`probing`, `running`, `holding`, `stopped`, `draining`, `ended`."""
    message: str = ""


class LoadChange(msgspec.Struct, tag="load", tag_field="kind", omit_defaults=True):
    """A change of load, as it took effect."""

    t_ns: int
    """Session time from which the new curve or concurrency holds."""
    change: str
    """`start`, `rate`, `ramp` (to another rate in a given time), `concurrency`, `hold`, `resume`, `stop`;
    `workload`: what requests ask for; of a plan `stage`, `stage_end`."""
    received_ns: int | None = None
    """When the supervisor had read the command; None for the start."""
    rate_rps: float | None = None
    """Offered rate right after the change; None in a closed loop."""
    previous_rate_rps: float | None = None
    concurrency: int | None = None
    previous_concurrency: int | None = None
    label: str = ""
    """A few words for a chart: `10 > 12 rps`, `hold`."""


class StageChange(msgspec.Struct, tag="stage", tag_field="kind", omit_defaults=True):
    """A stage of a plan began or came to its end."""

    t_ns: int
    number: int
    """From 0, as in `config.plan.stages` of the manifest. Several beginnings: it was left and begun anew."""
    event: str
    """`begin`, `load_over` (nothing more is due), `over` (all answered), `left` (a person has the keys),
    `left_out` (those before it say that there is nothing more to be learnt)."""
    name: str = ""
    """With `begin`."""
    stage: str = ""
    """With `begin`, where the plan does not list it (a step of a search for the limit): it as JSON, a
    `sessions.plan.stages.Stage`."""
    result: str = ""
    """With `over`, what such a step came to, as JSON: a `sessions.limit.search.Result`."""


class Mark(msgspec.Struct, tag="mark", tag_field="kind", omit_defaults=True):
    """Set by a person."""

    t_ns: int
    text: str = ""


class Note(msgspec.Struct, tag="note", tag_field="kind", omit_defaults=True):
    """Something worth knowing. `level` is `info`, `warning` or `error`."""

    t_ns: int
    level: str
    text: str


class NodeClock(msgspec.Struct, tag="clock", tag_field="kind", omit_defaults=True):
    """What is known of a node's clock from an instant on, until the node's next such record.

    Times in the node's files are of its own clock, less what it was held to be ahead of the session's at the
    start.
    """

    t_ns: int
    node: str
    correction_ns: float = 0.0
    """`t_ns` less what the node's files have for that instant; from then on it falls by `drift_ppm`."""
    within_ns: int = 0
    """The most that it can be wrong by at `t_ns`; then that grows by `drift_within_ppm`."""
    drift_ppm: float = 0.0
    """So much faster than this machine's the node's clock runs."""
    drift_within_ppm: float = 0.0
    workers: list[int] = msgspec.field(default_factory=list)
    """The load workers that run there."""
    moved_ns: float | None = None
    """So far it has moved against this machine's since the record before as no drift does: a machine slept,
    or a clock was set. Times between the two records may be wrong by as much."""


class End(msgspec.Struct, tag="end", tag_field="kind", omit_defaults=True):
    """The run's last word. `reason` is one of `sessions.store.manifest.END_REASONS`."""

    t_ns: int
    reason: str
    message: str = ""


AnyRecord = (
    Tick
    | Request
    | WorkerNote
    | GpuDevices
    | GpuSamples
    | GpuEvent
    | HostSample
    | ServerSample
    | SourceNote
    | State
    | LoadChange
    | StageChange
    | Mark
    | Note
    | NodeClock
    | End
)

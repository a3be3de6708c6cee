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
    | End
)

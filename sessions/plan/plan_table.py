"""A plan as it is typed in TOML: which keys there are, and of what type.

A list makes several stages: see `docs/guide/plans.md`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from loadgen.arrivals.load import ArrivalsName
from sessions.plan.mix import MixPart


class StageTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[stages]]`. Lists of loads, times and numbers go in step, so do lists of lengths."""

    name: str = ""
    rate: float | list[float] | None = None
    concurrency: int | list[int] | None = None
    ramp: str | None = None
    arrivals: ArrivalsName | None = None
    burstiness: float | None = None
    trace: str | None = None
    speed: float | str | list[float | str] | None = None
    trace_rate: float | list[float] | None = None
    duration: float | str | list[float | str] | None = None
    requests: int | str | list[int | str] | None = None
    warm_up: float | str | None = None
    warm_up_requests: int | str | None = None
    pause: float | str | None = None
    drain: bool = True
    repeat: int = 1
    between: list[str] | None = None
    """Names of two stages before: rates between what those answered, in `steps` steps."""
    steps: int = 8
    stop: Literal["flat", "failed"] | None = None
    input_tokens: int | str | list[int | str] | None = None
    output_tokens: int | str | list[int | str] | None = None
    turns: int | str | None = None
    think: float | str | None = None
    prefix: str | None = None
    prompts: str | None = None
    mix: str | None = None
    """`chat:0.7,rag:0.3`: parts of `[[mix]]` with weights of this stage."""


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[published]]`: a table of somebody else's, to stand beside ours."""

    title: str
    source: str
    definition: str = ""
    """What its columns mean where that is not what ttftop means by them."""
    columns: list[str]
    rows: list[list[str | float | None]]


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[providers]]`: what a GPU costs an hour somewhere."""

    gpu: str
    provider: str
    per_hour: float
    published_tps: float | None = None
    """Tokens per second that the source measured there."""
    published_per_million: float | None = None
    """Price of a million tokens as it printed it."""


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[report]`: what the plan's own table shows. Empty: the usual columns."""

    columns: list[str] = []
    charts: list[str] = []
    """`Y over X`, each a column's name."""
    fits: list[str] = []
    """Likewise: a line through the stages' figures."""


class Slo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[slo]`: what the figures of a stage are held against, such as `ttft.p99 < 2s`."""

    targets: list[str] = []


class TargetTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[targets]]`: a server that the load goes to, beside those that are typed."""

    url: str
    weight: int = 1


class PlanTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file, as it is typed."""

    name: str
    title: str = ""
    source: str = ""
    about: str = ""
    run: dict[str, Any] = {}
    """Options of `ttftop run`, by their names with `_` for `-`."""
    targets: list[TargetTable] = []
    stages: list[StageTable] = []
    slo: Slo = Slo()
    report: Report = Report()
    published: list[Published] = []
    providers: list[Provider] = []
    currency: str = "$"
    mix: list[MixPart] = []
    """Kinds of requests beside each other, all through the plan."""
    presets: list[MixPart] = []
    """What requests may ask for at the press of a key."""

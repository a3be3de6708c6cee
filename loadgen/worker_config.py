"""What a load worker is told: one `WorkerConfig` when it starts, then commands. Values only."""

from __future__ import annotations

import msgspec

from loadgen.arrivals.load import Load
from loadgen.endpoint_names import EndpointName
from loadgen.workload.spec import WorkloadSpec
from loadgen.workload.template import RequestTemplate, TargetHead

MOST_TARGETS = 64
MOST_WEIGHT = 1000


class Address(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to connect. `server_name` is what TLS verifies and what `Host` says."""

    host: str
    port: int
    tls: bool = False
    server_name: str = ""
    unix_path: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    cert_file: str | None = None
    """The client's own certificate, PEM."""
    cert_key_file: str | None = None
    """Its key; None: in `cert_file`."""
    at: tuple[str, ...] = ()
    """The IP addresses that `host` was found to stand for and that answered: requests go to each in turn.
    Empty: not looked up yet."""
    proxy: bool = False
    """`host` is an HTTP proxy before the server."""
    tunnel: str | None = None
    """`host:port` to which the HTTP proxy at `host` is first asked for a tunnel (CONNECT)."""
    sources: tuple[str, ...] = ()
    """IP addresses of the machine that sends: connections go from each in turn. Empty: the kernel chooses."""


class LoadTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of several servers that the load goes to."""

    name: str
    """For people: its URL, without credentials."""
    address: Address
    heads: dict[EndpointName, TargetHead]
    """What its requests say, by endpoint. They may hold a key."""
    weight: int = 1
    """So many of as many requests as all weights add up to are its."""

    def __repr__(self) -> str:
        return f"LoadTarget({self.name!r})"


AFTER_DONE_S = 1.0
"""Some servers keep a stream open behind `[DONE]`, and send comments: so long its end is waited for."""
AFTER_FINISH_S = 5.0
"""The same behind a finish reason: usage may follow it, and `[DONE]`, from a busy server not at once."""


class Deadlines(msgspec.Struct, frozen=True, omit_defaults=True):
    """Seconds a request may take; each a kind of failure of its own, but for those after its end.

    While tokens flow it may take as long as it needs, so nothing is due in all unless a person says so.
    """

    connect_s: float = 10.0
    headers_s: float = 120.0
    first_token_s: float = 120.0
    gap_s: float = 60.0
    total_s: float | None = None
    after_done_s: float = AFTER_DONE_S
    after_finish_s: float = AFTER_FINISH_S


class WorkerConfig(msgspec.Struct, frozen=True, tag="config", tag_field="cmd", omit_defaults=True):
    """Everything one worker needs. It must not matter to it which process or machine it runs on."""

    worker: int
    workers: int
    origin_ns: int
    """`time.monotonic_ns()` of the session's origin; all other times count from it."""
    address: Address
    template: RequestTemplate
    workload: WorkloadSpec
    load: Load
    start_ns: int
    """Session time at which load begins."""
    end_ns: int | None = None
    """Session time after which nothing more is due; None for an open end."""
    requests: int | None = None
    """Requests after which nothing more is due, over all workers; None for no limit."""
    max_in_flight: int = 4096
    """Over all workers."""
    seed: int = 0
    deadlines: Deadlines = Deadlines()
    give_up: int = 0
    """After so many requests of this worker, all of them failed, it says so; 0: never."""
    chunk_counts: bool = False
    """The server says how many tokens each chunk bears (`continuous_usage_stats` or `token_ids`)."""
    one_token_chunks: bool = True
    """Probes saw one token a chunk, so a chunk gap may be shown live as ITL until usage says otherwise."""
    targets: tuple[LoadTarget, ...] = ()
    """All where there are several, by number; then `address` is the first one's. Empty: `address` alone."""


def all_headers(config: WorkerConfig) -> list[tuple[str, str]]:
    """Those of every request that a worker may send: what is secret in them must be hidden."""
    heads = [head for target in config.targets for head in target.heads.values()]
    return [*config.template.headers, *(header for head in heads for header in head.headers)]


class SetLoad(msgspec.Struct, frozen=True, tag="load", tag_field="cmd", omit_defaults=True):
    """From `at_ns` on the load is another: in size, in kind, or in what its requests ask for.

    Of the same kind, what was due stays due and the same arrivals go on. Of another kind, or of a stage,
    what is in flight or waits in the backlog ends as it would have. Either way request indices go on.
    """

    at_ns: int
    """Session time, the same for every worker."""
    load: Load
    """The load from `at_ns` on; of an open one the curve begins there."""
    drop_backlog: bool = False
    """What is due by `at_ns` and not sent counts as not sent."""
    stage: Stage | None = None
    """None: a load without an end of its own."""
    workload: WorkloadSpec | None = None
    """What requests ask for from then on; None: as before, or what the stage says."""


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What makes a load a stage of a plan: it ends by itself, and says so."""

    number: int
    """Named when it is over. Each stage has arrivals of its own, by its number and the run's seed."""
    workload: WorkloadSpec
    end_ns: int | None = None
    """Session time after which nothing more is due; None for no such end."""
    requests: int | None = None
    """Requests after which nothing more is due, over all workers; None for no limit."""


class Finish(msgspec.Struct, frozen=True, tag="finish", tag_field="cmd"):
    """Nothing more is due; wait up to `drain_s` for what is in flight, then end."""

    drain_s: float


WorkerCommand = SetLoad | Finish

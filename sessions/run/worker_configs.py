"""What the load workers of a run are told, worked out from what was asked and what the probe learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from loadgen.arrivals.load import ClosedLoad
from loadgen.transport.source_addresses import family_of
from loadgen.worker_config import Deadlines, WorkerConfig
from loadgen.workload.spec import WorkloadSpec
from sessions.calibration.result import ASSUMED_EVENTS_PER_S, cores, valid_here
from sessions.plan.client_size import planned_events_per_s, workers_for
from sessions.plan.config import LoadConfig, RunConfig
from sessions.plan.loads import loads_of
from sessions.run.client_limits import Need, Spread, descriptor_limit, need_of
from sessions.run.conversations import conversations_of
from sessions.run.load_control import opening

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.worker_config import Address
    from sessions.run.preflight import Preflight

_LIKELY_WORDS = 80
"""More of them are of one token nearly everywhere than not."""


def planned_client(config: RunConfig) -> dict[str, Any]:
    """How many workers the load needs, and what that rests on: the manifest's `client`."""
    known = valid_here()
    loads = list(loads_of(config))
    worker_events_per_s = ASSUMED_EVENTS_PER_S if known is None else known.events_per_s
    return {
        "workers": max(workers_for(load, tokens, worker_events_per_s, cores()) for _, load, tokens in loads),
        "planned_events_per_s": max(planned_events_per_s(load, tokens) for _, load, tokens in loads),
        "calibrated_events_per_s": None if known is None else known.events_per_s,
        "calibrated_at": None if known is None else known.measured_at,
        "descriptor_limit": descriptor_limit(),
    }


def spread_of(found: Preflight) -> list[Spread]:
    """Where the load goes, and from where."""
    if not found.targets:
        return [_spread(found.address)]
    total = sum(target.weight for target in found.targets)
    return [_spread(each.address, each.weight / total, each.name) for each in found.targets]


def _spread(address: Address, share: float = 1.0, name: str = "") -> Spread:
    ips = address.at
    sources = sum(family_of(source) == family_of(ips[0]) for source in address.sources) if ips else 0
    return Spread(len(ips) or None, max(1, sources), share, name)


def need_here(load: LoadConfig, probed: ProbeResult, spread: Sequence[Spread], workers: int) -> Need:
    """What the load takes of this machine, as far as the probe tells."""
    took = [warm.total_ms / 1e3 / max(1, warm.output_tokens or warm.chunks) for warm in probed.warm_ups]
    return need_of(
        load,
        workers=workers,
        spread=spread,
        request_s=min(took) * max(1, probed.output_tokens) if took else None,
        closes=probed.closes,
        output_tokens=probed.output_tokens,
    )


def deadlines_of(timeouts: Mapping[str, float]) -> Deadlines:
    """The deadlines of a request. Who waits longer for the first token waits as long for headers, which some
    servers send with it."""
    usual = Deadlines()
    first_token_s = timeouts.get("first-token", usual.first_token_s)
    return Deadlines(
        connect_s=timeouts.get("connect", usual.connect_s),
        headers_s=timeouts.get("headers", max(usual.headers_s, first_token_s)),
        first_token_s=first_token_s,
        gap_s=timeouts.get("gap", usual.gap_s),
        total_s=timeouts.get("total", usual.total_s),
    )


def worker_configs(
    config: RunConfig,
    found: Preflight,
    workload: WorkloadSpec,
    workers: int,
    *,
    origin_ns: int,
    start_ns: int,
    end_ns: int | None,
) -> list[WorkerConfig]:
    """What each worker is told. `origin_ns` is on CLOCK_MONOTONIC, the others are session times."""
    load, probed = config.load, found.probed
    conversations = conversations_of(config.workload, load.seed)
    template = msgspec.structs.replace(
        probed.template,
        conversation_header=config.workload.conversation_header,
        conversation_prefix=f"ttftop-{load.seed}-",
    )
    return [
        WorkerConfig(
            worker=number,
            workers=workers,
            origin_ns=origin_ns,
            address=found.address,
            template=template,
            workload=workload,
            load=opening(load, start_ns, conversations) if config.plan is None else ClosedLoad(0),
            start_ns=start_ns,
            end_ns=end_ns,
            requests=load.requests,
            max_in_flight=load.max_in_flight,
            seed=load.seed,
            give_up=-(-load.give_up // workers),
            deadlines=deadlines_of(config.timeouts),
            chunk_counts=probed.chunk_counts,
            one_token_chunks=probed.capabilities.one_token_chunks is not False,
            targets=found.targets,
        )
        for number in range(workers)
    ]


def server_facts(found: Preflight) -> dict[str, Any]:
    """What the manifest keeps of the probe: never the headers, one of which holds the key."""
    probed = found.probed
    targets = [
        {"url": each.name, "weight": each.weight, "addresses": list(each.address.at)}
        for each in found.targets
    ]
    capabilities = msgspec.structs.asdict(probed.capabilities)
    return {
        "model": probed.model,
        "endpoint": probed.template.endpoint,
        "prompt": probed.prompt.form,
        "fields": sorted(probed.template.fields),
        "input_exact": probed.input_exact,
        "chunk_counts": probed.chunk_counts,
        "simulated": probed.capabilities.simulated,
        "probe_requests": probed.requests,
        "addresses": list(probed.addresses),
        "addresses_left_out": list(probed.left_out),
        "warm_ups": [msgspec.structs.asdict(warm_up) for warm_up in probed.warm_ups],
        "capabilities": {name: value for name, value in capabilities.items() if value is not None},
        **({"targets": targets} if targets else {}),
    }

"""What is not the same in two manifests, and whether it is what was to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sessions.compare.schema import Difference, Kind
from sessions.store.manifest import Manifest
from sessions.summary.asked import workload_asked
from sessions.summary.schema import Summary

_LONGEST = 200
_ASKED = ("workload.", "load.arrivals", "load.burstiness", "load.trace.file")
"""What makes requests other ones."""
_COMPARED = ("target.url", "model", "server.", "gpus", "tags.")
_NEITHER = (
    *("name", "interactive", "orphan_timeout_s", "telemetry", "tags", "target.url", "target.model"),
    *("load.seed", "load.give_up", "load.rate_rps", "load.ramp", "load.concurrency", "load.max_rate_rps"),
    *("load.trace.compiled", "slo"),
    *("load.workers", "plan.columns", "plan.charts", "plan.targets", "plan.fits", "plan.published"),
    *("plan.providers", "plan.currency", "plan.title", "plan.source", "plan.resumes", "plan.first_stage"),
    *("plan.stages", "plan.before"),
)
"""Of the configuration: changes nothing that is measured, or is told elsewhere, as loads are, one by one."""
_OF_SERVER = ("endpoint", "prompt", "input_exact", "simulated")
"""How it is asked, but for the last: no property of what is compared."""


def differences(a: Manifest, b: Manifest, of_a: Summary, of_b: Summary) -> list[Difference]:
    """Everything that differs, what was compared first. Texts are as the files have them, not printable."""
    ours, theirs = dict(_facts(a, of_a)), dict(_facts(b, of_b))

    def both(what: str) -> list[str]:
        return [facts[what] for facts in (ours, theirs) if what in facts]

    found = [
        Difference(what, ours.get(what, "-")[:_LONGEST], theirs.get(what, "-")[:_LONGEST], _kind(what))
        for what in dict.fromkeys([*ours, *theirs])
        if ours.get(what) != theirs.get(what) and not (what == "load.arrivals" and len(both(what)) < 2)
    ]
    order = ("compared", "asked", "also")
    return sorted(found, key=lambda difference: order.index(difference.kind))


def same_prompts(a: Manifest, b: Manifest) -> bool:
    """The second run may have found the first one's prompts in the server's cache."""
    return (
        a.config.load.seed == b.config.load.seed
        and a.target == b.target
        and a.session.id != b.session.id
        and not (a.simulated or b.simulated)
    )


def _kind(what: str) -> Kind:
    if what.startswith(_ASKED):
        return "asked"
    how_it_is_asked = what.removeprefix("server.") in _OF_SERVER[:3]
    return "compared" if what.startswith(_COMPARED) and not how_it_is_asked else "also"


def _facts(manifest: Manifest, summary: Summary) -> Iterator[tuple[str, str]]:
    """Name and value of all that may differ."""
    yield "target.url", manifest.target
    yield "model", manifest.model
    gpus = [gpu.name or "?" for gpu in summary.gpus]
    yield "gpus", ", ".join(f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus))
    for name in _OF_SERVER:
        if name in manifest.server:
            yield f"server.{name}", str(manifest.server[name])
    for name, value in _flat(manifest.server.get("capabilities"), "server."):
        yield name, value
    for tag in manifest.config.tags:
        key, _, value = tag.partition("=")
        yield f"tags.{key}", value
    work = workload_asked(manifest.config, summary.endpoint)
    yield "workload.input_tokens", str(work.input_tokens)
    yield "workload.output_tokens", str(work.output_tokens)
    if arrivals := _arrivals(manifest):
        yield "load.arrivals", ", ".join(arrivals)
    written = msgspec.to_builtins(manifest.config)
    for name, value in _flat(written, ""):
        told = name.startswith(("load.arrivals", "workload.input", "workload.output"))
        if not told and not any(name == other or name.startswith(f"{other}.") for other in _NEITHER):
            yield name, value
    yield "ttftop", manifest.session.ttftop_version
    yield "client.host", manifest.session.host
    yield "client.python", manifest.session.python
    if "workers" in manifest.client:
        yield "client.workers", str(manifest.client["workers"])


def _arrivals(manifest: Manifest) -> list[str]:
    """How requests arrived wherever a rate was asked for: nothing in a closed loop."""
    load, plan = manifest.config.load, manifest.config.plan
    if plan is None:
        return [] if load.concurrency is not None else [load.arrivals]
    return sorted({stage.arrivals for stage in plan.stages if stage.concurrency is None})


def _flat(value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Nested tables as dotted names."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flat(part, f"{at}{name}." if isinstance(part, Mapping) else f"{at}{name}")
    elif value is not None:
        yield at, str(value)

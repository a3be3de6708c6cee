"""Whether this machine can put on a load that is planned: descriptors, ports, memory (`doctor --rate R`)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from sessions.plan.config import LoadConfig, RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from tui.commands.machine_checks import Finding
from tui.options import value_types
from tui.options.as_typed import got_by
from tui.options.exit_codes import CommandError

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from sessions.run.client_limits import Machine, Need

NAME = "load"
OUTPUT_TOKENS = 64
"""Of an answer, as a run asks for them."""


def planned_load_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate",
        type=value_types.rate,
        metavar="R",
        help="whether this machine can put on R requests a second",
    )
    parser.add_argument(
        "--concurrency", type=value_types.count, metavar="N", help="the same of N requests at a time"
    )
    parser.add_argument(
        "--output-tokens", type=value_types.count, metavar="N", help=f"of their answers ({OUTPUT_TOKENS})"
    )


def check_planned(options: argparse.Namespace) -> None:
    """Raises:
    CommandError: they do not go together, or nothing could be said of them.
    """
    if options.nodes and options.ray is None:
        raise CommandError(
            f"{got_by(options, 'nodes')}, which are nodes of a Ray cluster; give --ray ADDRESS as well"
        )
    if options.rate is not None and options.concurrency is not None:
        got = got_by(options, "rate")
        raise CommandError(f"{got}, but a closed loop has no rate; give --rate or --concurrency, not both")
    if options.rate is not None and options.target is None:
        got = got_by(options, "rate")
        raise CommandError(f"{got}: how many are in flight is seen of the server; give its URL as well")
    if options.output_tokens is not None and options.rate is None and options.concurrency is None:
        got = got_by(options, "output_tokens")
        raise CommandError(f"{got}, which is of a planned load; give --rate or --concurrency as well")


def planned_load(options: argparse.Namespace, probed: ProbeResult | None) -> Iterator[Finding]:
    """Nothing where no load was named. `probed`: what the server told; None without one."""
    if options.rate is None and options.concurrency is None:
        return
    from sessions.run.client_limits import Spread, need_of, refusal, this_machine, warnings
    from sessions.run.worker_configs import need_here, planned_client

    load, tokens = LoadConfig(), options.output_tokens or OUTPUT_TOKENS
    if options.concurrency is not None:
        cap = max(options.concurrency, load.max_in_flight)
        load = msgspec.structs.replace(load, concurrency=options.concurrency, max_in_flight=cap)
    else:
        load = msgspec.structs.replace(load, rate_rps=options.rate)
    work = WorkloadConfig(output_tokens=tokens)
    workers = planned_client(RunConfig(TargetConfig(options.target or ""), load, work))["workers"]
    if probed is None:
        need = need_of(
            load, workers=workers, spread=[Spread()], request_s=None, closes=False, output_tokens=tokens
        )
    else:
        spread = [Spread(len(probed.addresses) or None)]
        need = need_here(load, msgspec.structs.replace(probed, output_tokens=tokens), spread, workers)
    machine = this_machine()
    refused = refusal(load, need, machine)
    wrong = [refused] if refused else warnings(need, machine)
    for text in wrong:
        yield Finding(False, NAME, text)
    if not wrong:
        yield Finding(True, NAME, _fits(load, need, machine))


def _fits(load: LoadConfig, need: Need, machine: Machine) -> str:
    """What of this machine the load takes."""
    at_once = f"{need.at_once:,.0f} requests at once"
    if load.concurrency is None:
        at_once = f"about {at_once} by the time that one took in the probe"
    each = "" if need.workers == 1 else f" in each of {need.workers} workers"
    parts = [f"{need.descriptors:,} of {_of(machine.descriptors)} descriptors{each}"]
    pairs = need.spread[0].pairs
    if pairs is not None and machine.ports is not None:
        taken = need.at_once / pairs
        parts.append(f"{taken:,.0f} of {machine.ports:,} ports to an address")
    if machine.memory_bytes is not None:
        parts.append(f"{need.memory_bytes / 2**30:.1f} of {machine.memory_bytes / 2**30:.1f} GiB of memory")
    return f"{at_once}: {', '.join(parts)}"


def _of(descriptors: int | None) -> str:
    return "unlimited" if descriptors is None else f"{descriptors:,}"

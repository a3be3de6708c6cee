"""The nodes of a Ray cluster, a finding each (`ttftop doctor --ray`)."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tui.commands.machine_checks import Finding
from tui.options.exit_codes import CommandError

if TYPE_CHECKING:
    from sessions.nodes.ray.doctor import NodeReport


def ray_nodes(options: argparse.Namespace) -> Iterator[Finding]:
    """Raises:
    CommandError: there is no such cluster, or it cannot be used.
    """
    from loadgen.target.url import parse_target
    from sessions.nodes.channel import NodeLost
    from sessions.nodes.ray.doctor import examine

    target = None
    if options.target is not None:
        target = parse_target(options.target, proxy=options.proxy, path=options.path).hop
    try:
        reports = asyncio.run(examine(options.ray, options.nodes or [], target))
    except NodeLost as error:
        raise CommandError(f"--ray: {error}") from None
    for report in reports:
        yield Finding(report.reach is None or bool(report.reach.at), "node", described(report))


def described(report: NodeReport) -> str:
    """One line: where, versions, cores and GPUs, round trips, clock, the server, and the load from there."""
    node, hello = report.node, report.hello
    gpus = "no NVIDIA driver" if hello.gpus is None else _count(hello.gpus, "GPU")
    ahead_s = report.ahead_ns / 1e9
    words = [
        f"{node.name} at {node.ip}{' (head)' if node.head else ''}",
        f"ttftop {node.ttftop}, Python {node.python}, Ray {node.ray}",
        f"{_count(hello.cores, 'core')}, {gpus}; Ray gives away {node.cpus:g} CPUs and {node.gpus:g} GPUs",
        f"round trip p50 {report.round_trip_ms(0.5):.3g} p99 {report.round_trip_ms(0.99):.3g} ms",
        f"clock {ahead_s:+.6f} s of ours, within {report.within_ns / 1e6:.3g} ms",
    ]
    if report.reach is not None:
        if not report.reach.at:
            words.append(f"does not reach the server ({report.reach.why_not})")
        else:
            words.append("the server is there as well" if report.reach.own else "reaches the server")
    most = max(1, hello.cores - 1)
    words.append(
        f"up to {_count(most, 'load worker')} by itself" if report.takes_load else "no load from there"
    )
    return "; ".join(words)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

"""One row of what the GPUs draw, what the hosts do beside the load, and what a poll of it all costs."""

from __future__ import annotations

from sessions.frame.gpus import RECENT_NS
from sessions.frame.schema import Frame, Host
from tui.draw import numbers
from tui.draw.rows import Field, Row, Span, chosen, fitted
from tui.draw.text import safe

BUSY_PCT = 90.0
"""CPU of a host from which on it is said loudly: clients and servers starve there."""
STOLEN_PCT = 1.0


def says_anything(frame: Frame) -> bool:
    """Whether there is anything to fill the row with."""
    return frame.power.watts is not None or bool(frame.hosts) or frame.server.prefix_hit_pct is not None


def machines(frame: Frame, width: int) -> Row:
    """Energy, prefix cache, hosts, poll: as many as there is room for."""
    power, server = frame.power, frame.server
    over_s = min(RECENT_NS, max(frame.at_ns - frame.first_ns, 0)) / 1e9
    mean: list[Span] = [] if power.watts is None else [(f"mean {over_s:.0f} s ", "label")]
    fields = [Field(0, *mean, (_watts(power.watts), "gpu"), *_per_token(frame))]
    if server.prefix_hit_pct is not None:
        fields.append(Field(2, ("prefix hit ", "label"), (f"{server.prefix_hit_pct:.0f}%", "server")))
    several = len(frame.hosts) > 1
    for rank, host in enumerate(frame.hosts):
        fields += host_fields(host, 1 + 4 * rank, safe(host.host, 16) if several else "CPU")
    if frame.poll_ms is not None:
        fields.append(Field(7, ("poll ", "label"), (f"{numbers.three(frame.poll_ms)} ms", "dim")))
    title = "ENERGY " if power.watts is not None else "HOST "
    return fitted([(" " + title, "title"), *chosen(fields, width - len(title) - 2, gap=3)], width)


def host(frame: Frame) -> list[Field]:
    """Fields of the hosts and of the poll: power is told with the GPUs."""
    several = len(frame.hosts) > 1
    fields: list[Field] = []
    for rank, one in enumerate(frame.hosts):
        fields += host_fields(one, 1 + 4 * rank, safe(one.host, 16) if several else "CPU")
    if frame.poll_ms is not None:
        fields.append(Field(7, ("poll ", "label"), (f"{numbers.three(frame.poll_ms)} ms", "dim")))
    return fields


def _watts(watts: float | None) -> str:
    if watts is None:
        return ""
    return f"{watts:.0f} W" if watts < 9999.5 else f"{watts / 1000:.1f} kW"


def _per_token(frame: Frame) -> list[Span]:
    joules = frame.power.j_per_token
    if frame.power.watts is None:
        return []
    said: list[Span] = [(" integrated", "dim")] if frame.power.integrated else []
    if joules is not None:
        said.append((f"  {numbers.three(joules)} J/token", ""))
    if frame.power.gpus > 1:
        said.append((f"  of {frame.power.gpus} GPUs", "dim"))
    return said


def host_fields(host: Host, rank: int, name: str) -> list[Field]:
    """What a machine does beside the load; `name` stands before its CPU share."""
    busy = host.cpu_pct is not None and host.cpu_pct >= BUSY_PCT
    stolen = host.steal_pct is not None and host.steal_pct >= STOLEN_PCT
    held = host.throttled_pct is not None and host.throttled_pct >= STOLEN_PCT
    return [
        Field(rank, (f"{name} ", "label"), (numbers.whole(host.cpu_pct, "%"), "bad" if busy else "")),
        Field(
            rank + (1 if stolen else 3),
            ("steal ", "label"),
            (numbers.whole(host.steal_pct, "%"), "bad" if stolen else "dim"),
        )
        if host.steal_pct is not None
        else Field(9),
        Field(rank + 1, ("CPU quota holds it back ", "label"), (f"{host.throttled_pct:.0f}%", "bad"))
        if held
        else Field(9),
        Field(rank + 3, ("load ", "label"), (numbers.rate(host.load1), "dim"))
        if host.load1 is not None
        else Field(9),
        Field(
            rank + 4,
            ("mem ", "label"),
            (f"{numbers.gib(host.memory_used_bytes)}/{numbers.gib(host.memory_total_bytes)}G", "dim"),
        )
        if host.memory_total_bytes
        else Field(9),
        Field(rank + 5, ("net ", "label"), (f"{numbers.count(host.net_bytes_per_s)}B/s", "dim"))
        if host.net_bytes_per_s is not None
        else Field(9),
    ]

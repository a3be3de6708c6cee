"""The latencies of the first row: what their targets ask, what it is lately, and whether it is held."""

from __future__ import annotations

from sessions.frame.schema import Frame, Stat
from sessions.frame.targets import unjudged
from tui.draw import numbers
from tui.draw.rows import Field, Row
from tui.draw.theme import Theme

_NAMES = {"ttft": "TTFT", "ttft_sent": "TTFT", "itl": "ITL", "chunk_gap": "GAP", "e2e": "E2E", "tpot": "TPOT"}
_NAMES |= {"send_lag": "send lag"}


def _itl_name(frame: Frame) -> tuple[str, str]:
    return ("GAP", "chunk_gap") if frame.itl_is_chunk_gap else ("ITL", "itl")


def latencies(frame: Frame, theme: Theme, *, short: bool) -> list[Field]:
    """How the last seconds stand to the targets; of whole answers where these have no tokens."""
    if frame.e2e_recent is not None:
        held = _held("E2E", "e2e", frame.e2e_recent, frame, theme, short)
        return [Field(_rank(frame, "e2e", 2), *held)]
    itl = _itl_name(frame)
    return [
        Field(_rank(frame, "ttft", 2), *_held("TTFT", "ttft", frame.ttft_recent, frame, theme, short)),
        Field(_rank(frame, itl[1], 2), *_held(*itl, frame.itl_recent, frame, theme, short)),
        *_not_known(frame),
    ]


def missed(frame: Frame) -> tuple[str, ...]:
    """Names of the latencies of which some target is missed lately."""
    return tuple(
        _NAMES.get(metric, metric)
        for metric, targets in frame.targets.items()
        if any(target.met is False for target in targets)
    )


def _rank(frame: Frame, metric: str, rank: int) -> int:
    """A target that is missed has its place before one that is held: a green one alone would say that all is
    well."""
    missed = any(target.met is False for target in frame.targets.get(metric, ()))
    return 1 if missed else rank


def _not_known(frame: Frame) -> list[Field]:
    """Targets that the screen cannot judge: that they are asked, and are not held to be held."""
    said = {"ITL": (5, ("not known", "warn")), "TPOT": (7, ("in the summary", "dim"))}
    out = []
    for each in unjudged(frame, "itl")[:1]:
        rank, why = said[each.name]
        limit = numbers.ms_label(each.limit_ms)
        out.append(Field(rank, (f"{each.name} {each.statistic} {limit} ", "label"), why))
    return out


def _held(name: str, metric: str, recent: Stat, frame: Frame, theme: Theme, short: bool) -> Row:
    """The targeted percentile and whether it is held; without a target p95. `short`: without its limit."""
    targets = frame.targets.get(metric, ())
    if not targets:
        thin = "p95" in recent.thin and recent.p95_ms is not None
        return [(f"{name} p95 ", "label"), (("~" if thin else "") + numbers.ms(recent.p95_ms), "strong")]
    target = targets[0]
    figure = ("~" if target.thin else "") + numbers.ms(target.now_ms)
    limit = numbers.ms_label(target.limit_ms)
    if target.met is False:
        end = " " if short else f" >{limit} "
        return [(f" {name} {target.statistic} {figure} {theme.glyph('missed')}{end}", "alarm")]
    role = "ok" if target.met else "strong"
    mark = f" {theme.glyph('met')}" if target.met else "" if short else " of"
    end = "" if short else f" {'<' if target.met else ''}{limit}"
    return [(f"{name} {target.statistic} ", "label"), (figure + mark, role), (end, "label")]

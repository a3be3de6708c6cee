"""The summary of a session on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from sessions.store.collector import no_collection
from sessions.store.directory import is_live
from sessions.store.follow import SessionFollower
from sessions.store.manifest import Manifest, read
from sessions.store.parse import parse_packed
from sessions.store.records import AnyRecord
from sessions.summary.prices import Prices
from sessions.summary.schema import Summary
from sessions.summary.summarise import summarise
from sessions.timeline.cache import Keeper, Opened
from sessions.timeline.timeline import Timeline


class Folded(NamedTuple):
    """A session on disk, all of it taken in."""

    timeline: Timeline
    manifest: Manifest
    summary: Summary
    opened: Opened
    """The timeline, for a view that need not read it again."""


def read_summary(
    directory: Path, prices: Prices | None = None, slo: Sequence[str] = (), *, keep: bool = False
) -> Summary:
    """What a session says, also one that still runs or was killed. Without `prices` there is no money in it.
    `slo`: targets in place of its own. `keep`: nothing more is written to the session; it gets a cache.

    Raises:
        SessionError: the session's manifest cannot be read.
    """
    return read_folded(directory, prices, slo, keep=keep).summary


def read_folded(
    directory: Path,
    prices: Prices | None = None,
    slo: Sequence[str] = (),
    *,
    also: Callable[[AnyRecord], None] | None = None,
    keep: bool = False,
    reading: Callable[[float], None] | None = None,
) -> Folded:
    """The same, with the timeline that it was made of. `also` is given each record behind it, the gaps
    of requests still packed. `keep` writes the cache of what was read beside it. `reading` is told again and
    again which share of it is read, 0 to 1.

    Raises:
        SessionError: the session's manifest cannot be read.
    """
    manifest = read(directory)
    if slo:
        config, plan = manifest.config, manifest.config.plan
        plan = None if plan is None else msgspec.structs.replace(plan, targets=list(slo))
        manifest.config = msgspec.structs.replace(config, slo=list(slo), plan=plan)
    # Before the files: a supervisor that was gone by then has written all it ever will.
    locked = is_live(directory)
    files = SessionFollower(directory, requests=True, parse=parse_packed)
    timeline, keeper = Timeline(), Keeper() if keep else None
    with no_collection():
        while True:
            for record in files.poll():
                timeline.apply(record)
                if also is not None:
                    also(record)
                if keeper is not None:
                    keeper.note(record)
            if reading is not None:
                reading(files.read_share)
            _ = timeline.ticks  # puts them in their place now: as they came they take twice the memory
            if not files.behind:
                break
        files.close()
        if locked and timeline.end is None:
            summary = summarise(timeline, manifest, live=True, prices=prices)
        else:
            notes, damaged = files.notes(), files.damaged
            summary = summarise(timeline, manifest, notes=notes, damaged=damaged, prices=prices)
        if keeper is not None:
            keeper.keep(directory, timeline, files.sizes)
    return Folded(timeline, manifest, summary, Opened(timeline, files.sizes))

"""Which node runs how many of a run's load workers. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from sessions.calibration.result import ASSUMED_EVENTS_PER_S
from sessions.plan.client_size import COMFORT, planned_events_per_s
from sessions.plan.config import WORKERS_PER_CORE, LoadConfig


class PlacementError(Exception):
    """The load cannot be placed: one line."""


class Offer(NamedTuple):
    """One node that may put load on."""

    name: str
    cores: int
    events_per_s: float | None = None
    """That one worker there was measured to read cleanly; None where nobody measured."""
    own: bool = False
    """The server is there as well."""
    gpus: bool = False
    """It has some: the server may span it, though it listens elsewhere."""
    named: bool = True
    """A person asked for this very node, so that it is loaded whatever else it does."""


def takes_load(offers: Sequence[Offer]) -> list[Offer]:
    """Those that the load is put on from: none beside the server, none with GPUs, unless there is no other.

    A node that a person named is one in any case.
    """
    without = [offer for offer in offers if offer.named or not (offer.own or offer.gpus)]
    return without or [offer for offer in offers if not offer.own] or list(offers)


def placed(loads: Sequence[tuple[LoadConfig, float]], offers: Sequence[Offer]) -> list[int]:
    """How many workers each node runs, in the order of `offers`: at least one each, as far as slots go.

    Each further one goes where the fewest share a core. `loads`: those of the run, each with the tokens of
    an answer.

    Raises:
        PlacementError: `--workers` asks for fewer than there are nodes, or for far more than cores.
    """
    nodes = len(offers)
    slots = min(
        min(load.max_in_flight, load.max_in_flight if load.concurrency is None else load.concurrency)
        for load, _ in loads
    )
    asked = loads[0][0].workers
    if asked != "auto":
        most = WORKERS_PER_CORE * sum(offer.cores for offer in offers)
        if asked > most:
            raise PlacementError(
                f"--workers: got {asked}, need at most {most} ({WORKERS_PER_CORE} for each core)"
            )
        if asked < nodes:
            raise PlacementError(f"--workers: got {asked}, need at least {nodes}: one on each node")
    counts = [1 if number < slots else 0 for number in range(nodes)]
    most_each = [
        max(1, offer.cores - 1) if asked == "auto" else WORKERS_PER_CORE * offer.cores for offer in offers
    ]
    total = min(slots, _wanted(loads, offers) if asked == "auto" else asked)
    while sum(counts) < total:
        free = [i for i in range(nodes) if counts[i] < most_each[i]]
        if not free:
            break
        counts[min(free, key=lambda i: (counts[i] / max(1, offers[i].cores - 1), i))] += 1
    return counts


def _wanted(loads: Sequence[tuple[LoadConfig, float]], offers: Sequence[Offer]) -> int:
    """Each worker has the same part of the load, so the slowest says how many there must be."""
    slowest = min(offer.events_per_s or ASSUMED_EVENTS_PER_S for offer in offers)
    return max(math.ceil(planned_events_per_s(load, tokens) / (COMFORT * slowest)) for load, tokens in loads)


def numbered(counts: Sequence[int]) -> list[list[int]]:
    """The workers of each node by their numbers in the run, one node after the other."""
    found, first = [], 0
    for count in counts:
        found.append(list(range(first, first + count)))
        first += count
    return found


def planned(
    loads: Sequence[tuple[LoadConfig, float]], offers: Sequence[Offer], workers: int
) -> dict[str, object]:
    """What the number of workers rests on, as the manifest's `client` keeps it."""
    known = [offer.events_per_s for offer in offers]
    return {
        "workers": workers,
        "planned_events_per_s": max(planned_events_per_s(load, tokens) for load, tokens in loads),
        # Of the slowest: what binds first.
        "calibrated_events_per_s": None if None in known or not known else min(filter(None, known)),
        "calibrated_at": None,
    }

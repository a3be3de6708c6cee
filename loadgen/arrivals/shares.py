"""Which worker has what of a load: its slots, its room for requests in flight, and its request indices.

Slot `s` of a closed loop is worker `s % workers`'s, and so is every index `i` with `i % period == s`, where
the period is the number of slots the run began with: each slot, and not each worker, has the same part of the
requests, so that slots come to the end of `--requests` together. An open loop has one "slot" a worker.
"""

from __future__ import annotations


def share(total: int, worker: int, workers: int) -> int:
    """This worker's part of `total` slots; the parts of all workers add up to `total`."""
    return total // workers + (worker < total % workers)


def period_of(concurrency: int | None, workers: int) -> int:
    """After how many indices the workers' turns repeat. `concurrency`: that the run begins with; None for an
    open loop. At least `workers`: each has its turn, even one that has no slot yet."""
    return workers if concurrency is None else max(concurrency, workers)


def own_index(least: int, worker: int, workers: int, period: int) -> int:
    """The least index of this worker's that is not below `least`."""
    place = least % period
    own = place + (worker - place) % workers
    return least - place + (own if own < period else period + worker)


def own_requests(total: int, slots: int, worker: int, workers: int) -> int:
    """This worker's part of `total` requests that `slots` slots take in turn; all parts add up to `total`."""
    rounds, rest = divmod(total, slots)
    return rounds * share(slots, worker, workers) + share(rest, worker, workers)

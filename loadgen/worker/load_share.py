"""One worker's part of a run's load: room for requests in flight, indices, and the load model made of it."""

from __future__ import annotations

from loadgen.arrivals.load import Beginning, ClosedLoad, Load, LoadModel
from loadgen.arrivals.load_models import LOAD_MODELS
from loadgen.arrivals.shares import own_index, own_requests, period_of, share
from loadgen.worker_config import Stage, WorkerConfig

_STAGE_SEEDS = 1_000_003
"""Between the seeds of two stages: more than anybody counts seeds up by."""

_NUMBERS = 1000
"""Indices stay below what a session may hold (`sessions.store.bounds`)."""


class LoadShare:
    """What stays the same for the worker however often the load changes."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self.cap = share(config.max_in_flight, config.worker, config.workers)
        slots = config.load.concurrency if isinstance(config.load, ClosedLoad) else None
        self._period = period_of(slots, config.workers)
        self._number = -1
        """Of the loads that were begun, in every worker alike."""

    def model(
        self, load: Load, at_ns: int, last_index: int, in_flight: int, stage: Stage | None = None
    ) -> LoadModel:
        """The model of `load` from `at_ns` on. `last_index`: the highest index used so far, -1 for none;
        `in_flight`: how many requests, sent or due, have not ended; `stage`: where it ends by itself."""
        config = self._config
        first = own_index(last_index + 1, config.worker, config.workers, self._period)
        requests, seed, end_ns = config.requests, config.seed, config.end_ns
        if stage is not None:
            seed += _STAGE_SEEDS * (stage.number + 1)
            end_ns, requests = stage.end_ns, None
            if stage.requests is not None:
                # A run of stages begins without a slot: its period is the number of workers.
                slots = load.concurrency if isinstance(load, ClosedLoad) else config.workers
                own = own_requests(stage.requests, slots, config.worker, config.workers)
                requests = first + own * config.workers
        self._number += load != ClosedLoad(0)
        beginning = Beginning(
            at_ns=at_ns,
            worker=config.worker,
            workers=config.workers,
            next_index=first,
            in_flight=in_flight,
            cap=self.cap,
            seed=seed,
            end_ns=end_ns,
            requests=requests,
            period=self._period,
            number=max(0, self._number) % _NUMBERS,
        )
        return LOAD_MODELS[type(load)](load, beginning)

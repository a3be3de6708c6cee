"""One worker's part of a run's load: room for requests in flight, indices, and the load model made of it."""

from __future__ import annotations

from loadgen.arrivals.load import Beginning, ClosedLoad, Load, LoadModel
from loadgen.arrivals.load_models import LOAD_MODELS
from loadgen.arrivals.shares import own_index, period_of, share
from loadgen.worker_config import WorkerConfig


class LoadShare:
    """What stays the same for the worker however often the load changes."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self.cap = share(config.max_in_flight, config.worker, config.workers)
        slots = config.load.concurrency if isinstance(config.load, ClosedLoad) else None
        self._period = period_of(slots, config.workers)

    def model(self, load: Load, at_ns: int, last_index: int, in_flight: int) -> LoadModel:
        """The model of `load` from `at_ns` on. `last_index`: the highest index used so far, -1 for none;
        `in_flight`: how many requests, sent or due, have not ended."""
        config = self._config
        beginning = Beginning(
            at_ns=at_ns,
            worker=config.worker,
            workers=config.workers,
            next_index=own_index(last_index + 1, config.worker, config.workers, self._period),
            in_flight=in_flight,
            cap=self.cap,
            seed=config.seed,
            end_ns=config.end_ns,
            requests=config.requests,
            period=self._period,
        )
        return LOAD_MODELS[type(load)](load, beginning)

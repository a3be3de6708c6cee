"""The load model that one worker goes on with, when its load changes in kind or a stage begins."""

from __future__ import annotations

from loadgen.arrivals.load import Beginning, Load, LoadModel, share
from loadgen.arrivals.load_models import LOAD_MODELS
from loadgen.worker_config import Stage, WorkerConfig

_STAGE_SEEDS = 1_000_003
"""Between the seeds of two stages: more than anybody counts seeds up by."""


def load_model(
    config: WorkerConfig,
    load: Load,
    stage: Stage | None,
    *,
    at_ns: int,
    unused_index: int,
    in_flight: int,
    cap: int,
) -> LoadModel:
    """The model of this worker's part of `load` from `at_ns` on.

    Args:
        stage: where the load ends by itself; None: with the run.
        unused_index: no request of this worker has this index or a higher one.
        in_flight: its requests that were sent or due and have not ended.
        cap: requests that it may have in flight.
    """
    first = unused_index + (config.worker - unused_index) % config.workers
    requests, seed, end_ns = config.requests, config.seed, config.end_ns
    if stage is not None:
        seed += _STAGE_SEEDS * (stage.number + 1)
        end_ns = stage.end_ns
        requests = None
        if stage.requests is not None:
            requests = first + share(stage.requests, config.worker, config.workers) * config.workers
    beginning = Beginning(
        at_ns=at_ns,
        worker=config.worker,
        workers=config.workers,
        next_index=first,
        in_flight=in_flight,
        cap=cap,
        seed=seed,
        end_ns=end_ns,
        requests=requests,
    )
    return LOAD_MODELS[type(load)](load, beginning)

"""Serves a random-weights model with llama.cpp's own HTTP server, from the xllamacpp wheel.

Prints `listening on URL` when it answers, and stops on SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

import make_gguf
import ports
import xllamacpp


def model_file(models: Path, size: str) -> Path:
    """The model of that size, made if it is not there yet."""
    path = models / f"random-llama-{size}.gguf"
    if not path.exists():
        models.mkdir(parents=True, exist_ok=True)
        print(f"making the {size} model: {path}", flush=True)
        make_gguf.write(path, make_gguf.SHAPES[size])
    return path


def parameters(model: Path, options: argparse.Namespace) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = type(params.model_alias)([options.name]) if options.name else params.model_alias
    params.port = ports.choose(options.port)
    params.n_parallel = options.slots
    params.n_ctx = options.slots * options.context
    params.n_gpu_layers = 0
    if options.cache_mib is not None:
        params.cache_ram_mib = options.cache_mib
    if options.embeddings:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.endpoint_metrics = params.endpoint_slots = params.endpoint_props = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    return params


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/real-server llamacpp", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="where model files are kept")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--size", choices=sorted(make_gguf.SHAPES), default="tiny")
    parser.add_argument("--name", default="random-llama", help="the model's name in the API")
    parser.add_argument("--slots", type=int, default=8, help="requests that are served at once")
    parser.add_argument("--context", type=int, default=2048, help="tokens of context for each slot")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--cache-mib",
        type=int,
        help="memory for prompts that left their slot, searched one by one (llama.cpp's own; 0: none)",
    )
    parser.add_argument("--embeddings", action="store_true", help="serve /v1/embeddings as well")
    options = parser.parse_args()

    # Blocked before the server starts its threads, so that none of them takes the signal from sigwait.
    ending = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    server = xllamacpp.Server(parameters(model_file(options.models, options.size), options))
    print(f"listening on {server.listening_address}", flush=True)
    signal.sigwait(ending)
    del server
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

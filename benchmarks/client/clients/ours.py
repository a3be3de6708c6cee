"""ttftop's load engine as a benchmark client: one worker; a closed loop, or with --rate an open one.

python -m benchmarks.client.clients.ours PORT STREAMS REQUESTS [--errors] [--loop asyncio] [--rate RPS]
"""

from __future__ import annotations

import asyncio
import socket
import sys
from itertools import accumulate, takewhile

import msgspec

from benchmarks.client.clients.telling import Told, arguments, sends_of, tell
from benchmarks.client.clients.workloads import WORKLOADS
from loadgen.arrivals.load import ClosedLoad, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.arrivals.unit_points import UNIT_POINTS
from loadgen.clock import MonotonicClock, monotonic_ns, process_cpu_ns
from loadgen.endpoints import ENDPOINTS
from loadgen.records import Request, Tick
from loadgen.transport.pool import Pool
from loadgen.worker.engine import Engine
from loadgen.worker_config import Address, Finish, WorkerConfig
from loadgen.workload.spec import SyntheticWorkload
from loadgen.workload.synthetic_prompt import prompt
from loadgen.workload.template import RequestTemplate
from sessions.worker.process import new_loop, quiet_garbage


def body_of(config: WorkerConfig, index: int) -> bytes:
    template, workload = config.template, config.workload
    assert isinstance(workload, SyntheticWorkload)  # the others are not compared with the server's times
    return ENDPOINTS[template.endpoint].body(
        template.fields,
        prompt(workload.prompt, config.seed, index),
        template.max_tokens_field,
        1000,
    )


def errors_ns(config: WorkerConfig, port: int, requests: list[Request]) -> list[int]:
    """Reported time of each token minus the server's time of its send, from the records alone."""
    sends = sends_of(port)
    errors = []
    for record in requests:
        assert record.first_token_ns is not None
        # Gaps are differences of whole microseconds, so they add up without an error that grows.
        first_us = (record.first_token_ns) // 1000
        times_us = accumulate(record.gaps_us, initial=first_us)
        truth = sends[body_of(config, record.index)]
        assert record.chunks == len(truth)
        errors += [t * 1000 + 500 + config.origin_ns - sent for t, sent in zip(times_us, truth, strict=True)]
    return errors


async def run(config: WorkerConfig, port: int, records: list[bytes], ticks: list[Tick]) -> None:
    """`records` are packed, as a worker packs them for its journal: it keeps no objects of them either."""
    loop = asyncio.get_running_loop()
    clock = MonotonicClock(config.origin_ns)
    packed = msgspec.msgpack.Encoder().encode

    def emit(record: object) -> None:
        if isinstance(record, Request):
            records.append(packed(record))
        elif isinstance(record, Tick):
            ticks.append(record)

    where: list[tuple[socket.AddressFamily, object]] = [(socket.AF_INET, ("127.0.0.1", port))]
    engine = Engine(config, clock, loop, Pool(loop, clock, where), emit)
    quiet_garbage()
    engine.start()
    await engine.idle.wait()
    engine.command(Finish(5.0))
    await engine.ended.wait()


def due_count(arrivals: str, rate_rps: float, seconds: float) -> int:
    """How many requests of a steady rate are due within `seconds`: points at unit rate, stretched."""
    points = takewhile(lambda point: point < rate_rps * seconds, UNIT_POINTS[arrivals](0, 1.0))
    return sum(1 for _ in points)


def main() -> None:
    args = arguments()
    if args.seconds is not None:
        args.requests = due_count(args.arrivals, args.rate, args.seconds)
    config = WorkerConfig(
        worker=0,
        workers=1,
        origin_ns=monotonic_ns(),
        address=Address("127.0.0.1", args.port),
        template=RequestTemplate(
            path="/v1/completions",
            headers=[("host", f"127.0.0.1:{args.port}"), ("content-type", "application/json")],
            endpoint="completions",
            fields={"model": "bench-model", "stream": True},
        ),
        workload=WORKLOADS[args.workload],
        load=OpenLoad(args.arrivals, [steady(0, args.rate)]) if args.rate else ClosedLoad(args.streams),
        start_ns=0,
        requests=None if args.seconds is not None else args.requests,
        end_ns=None if args.seconds is None else int(args.seconds * 1e9),
        chunk_counts=args.counted,
        max_in_flight=max(4096, args.streams),
    )
    packed: list[bytes] = []
    ticks: list[Tick] = []
    loop = asyncio.new_event_loop() if args.loop == "asyncio" else new_loop()
    started_ns, cpu_ns = monotonic_ns(), process_cpu_ns()
    loop.run_until_complete(run(config, args.port, packed, ticks))
    cpu_ns = process_cpu_ns() - cpu_ns
    records = [msgspec.msgpack.decode(record, type=Request) for record in packed]
    failed = [record.error for record in records if record.error is not None]
    if failed:
        sys.exit(f"ours: {len(failed)} requests failed, the first: {failed[0]}")
    times_ns = [
        [config.origin_ns + at for at in (r.due_ns, r.sent_ns, r.first_token_ns)]  # type: ignore[operator]
        for r in sorted(records, key=lambda r: r.due_ns)
    ]
    tell(
        Told(
            events=sum(record.output_tokens or 0 for record in records),
            wall_s=(max(record.end_ns for record in records) + config.origin_ns - started_ns) / 1e9,
            cpu_s=cpu_ns / 1e9,
            ttft_ns=[record.first_token_ns - record.sent_ns for record in records],  # type: ignore[operator]
            itl_ns=[gap_us * 1000 for record in records for gap_us in record.gaps_us],
            error_ns=errors_ns(config, args.port, records) if args.errors else [],
            more={
                "requests": args.requests,
                "sent": len(records),
                "times_ns": times_ns if args.rate else [],
                "reads": sum(tick.reads for tick in ticks),
                "coalesced_reads": sum(tick.coalesced_reads for tick in ticks),
                "kernel_reads": sum(tick.kernel_reads for tick in ticks),
            },
        )
    )


if __name__ == "__main__":
    main()

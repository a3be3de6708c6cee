"""How many tokens a second one core of the simulated server can stream.

    python benchmarks/simulator_rate.py [--streams 16,64] [--tokens 1000] [--rounds 3] [--docs PAGE]

A simulator whose engine is far faster than Python is asked for many long streams at once; the tokens it
made are divided by the CPU time its process used, so a busy machine and the reader's own cost do not count.
Figures are medians of the rounds, in which the numbers of streams take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common.section import machine, write  # noqa: E402
from loadgen.simulator.profiles import PROFILES  # noqa: E402
from loadgen.simulator.serve import serve  # noqa: E402

BE_THE_SERVER = "--be-the-server"


def main() -> None:
    if sys.argv[1:] == [BE_THE_SERVER]:
        be_the_server()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", default="16,64", help="numbers of streams, with commas between")
    parser.add_argument("--tokens", type=int, default=1000, help="of each stream")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--docs", type=Path, help="page to write the table into")
    options = parser.parse_args()
    where = machine()
    streams = [int(number) for number in options.streams.split(",")]
    cpu_us: dict[int, list[float]] = {number: [] for number in streams}
    for _ in range(options.rounds):
        for number in streams:
            cpu_us[number].append(asyncio.run(cpu_us_a_token(number, options.tokens)))
    text = table(cpu_us, options.tokens) + f"\n\nMedians of {options.rounds} rounds, {where}."
    print(text)
    if options.docs is not None:
        write(options.docs, "simulator_rate", text)


def table(cpu_us: dict[int, list[float]], tokens: int) -> str:
    lines = [
        f"| streams of {tokens:,} tokens | CPU us a token | least and most | tokens per CPU second |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for number, found in cpu_us.items():
        middle = statistics.median(found)
        least_most = f"{min(found):.1f} to {max(found):.1f}"
        lines.append(f"| {number} | {middle:.1f} | {least_most} | {1e6 / middle:,.0f} |")
    return "\n".join(lines)


def be_the_server() -> None:
    small = PROFILES["small"]
    costs = replace(small.costs, prefill_fixed_ms=0.1, decode_base_ms=2.0, decode_ms_per_sequence=0.0)
    limits = replace(small.limits, max_sequences=1024, blocks=1 << 20)
    PROFILES["fast"] = replace(small, costs=costs, limits=limits)
    started_s = 0.0

    def ready(_port: int) -> None:
        nonlocal started_s
        started_s = time.process_time()

    serve("127.0.0.1", 0, "fast", 0, ready=ready)
    print(time.process_time() - started_s)


async def read_stream(port: int, tokens: int) -> int:
    """Events of one stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"prompt":[9,9,9],"max_tokens":%d,"ignore_eos":true,"stream":true}' % tokens
    writer.write(
        b"POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        % len(body)
    )
    writer.write(body)
    events = 0
    while data := await reader.read(1 << 16):
        events += data.count(b"data: {")
    writer.close()
    return events


async def cpu_us_a_token(streams: int, tokens: int) -> float:
    server = await asyncio.create_subprocess_exec(
        sys.executable, __file__, BE_THE_SERVER, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    said = (await server.stdout.readline()).decode()
    port = int(said.split("127.0.0.1:")[1].split()[0])
    made = sum(await asyncio.gather(*(read_stream(port, tokens) for _ in range(streams))))
    server.terminate()
    cpu_s = float((await server.stdout.readline()).decode())
    await server.wait()
    if made != streams * tokens:
        raise SystemExit(f"simulator_rate: {made} events came, {streams * tokens} were asked for")
    return cpu_s / made * 1e6


if __name__ == "__main__":
    main()

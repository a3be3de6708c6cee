"""How many tokens a second one core can stream: `python -m tests.simulator.stream_rate [STREAMS] [TOKENS]`.

A simulator whose engine is far faster than Python is asked for many long streams at once; the tokens it
made are divided by the CPU time its process used, so a busy machine and the reader's own cost do not count.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace

from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.serve import serve

SERVER = "from tests.simulator import stream_rate; stream_rate.be_the_server()"


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


async def read_stream(port: int, tokens: int) -> tuple[int, int]:
    """Events and socket reads of one stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"prompt":[9,9,9],"max_tokens":%d,"ignore_eos":true,"stream":true}' % tokens
    writer.write(
        b"POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        % len(body)
    )
    writer.write(body)
    events = reads = 0
    while data := await reader.read(1 << 16):
        events += data.count(b"data: {")
        reads += 1
    writer.close()
    return events, reads


async def measure(streams: int, tokens: int) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    said = (await server.stdout.readline()).decode()
    port = int(said.split("127.0.0.1:")[1].split()[0])
    start_s = time.monotonic()
    counts = await asyncio.gather(*(read_stream(port, tokens) for _ in range(streams)))
    took_s = time.monotonic() - start_s
    server.terminate()
    cpu_s = float((await server.stdout.readline()).decode())
    await server.wait()
    made, reads = sum(events for events, _ in counts), sum(reads for _, reads in counts)
    assert made == streams * tokens, f"{made} events, expected {streams * tokens}"
    print(
        f"{streams} streams of {tokens} tokens: {made / cpu_s:,.0f} tokens per CPU second "
        f"({cpu_s / made * 1e6:.1f} us a token); {made / took_s:,.0f} tokens/s on this machine now; "
        f"{made / reads:.2f} tokens a read"
    )


if __name__ == "__main__":
    asyncio.run(measure(*map(int, [*sys.argv[1:], "64", "1000"][: max(2, len(sys.argv) - 1)])))

"""The page docs/measured/performance.md, whole."""

from __future__ import annotations

from typing import Any

from benchmarks.client.tables import tables

WHY_FAST = """\
## Why it is fast

- A token costs one `recvmsg`, which also brings the time at which the kernel had it: a late process does not
  make a token late.
- So the worker need not follow each arrival either: after a round of reads over all its sockets it rests, at
  most a millisecond and far less than the gap between two events of one stream, and one wake serves many
  (`loadgen/transport/read_loop.py`, `loadgen/worker/read_delay.py`).
- Behind a system call the processor has forgotten all but the kernel. So no line of Python stands between two
  reads, and what they brought waits until there is a good number of it (`loadgen/transport/batch_reader.py`).
- Nearly every event says the same. What a round brought of such events, whatever their streams, a typed
  decoder reads in one call; what it refuses goes through the full decoder (`loadgen/worker/batch_decode.py`,
  `loadgen/endpoints/token_event.py`). The first token, and all that looks unusual, is read by itself.
- Then nothing is left of an event but its time, and a stream is told of many at once: what belongs to one
  stream has left the processor's cache by its next event (`loadgen/transport/read_buffer.py`).
- Gaps are put into latency buckets four times a second, and what is gathered then is taken in slices between
  which due requests are sent.
- A request is bytes made ahead; sending it is one `send`.

## Without uvloop

Plain asyncio works; the rows *ttftop without uvloop* say what it costs. Times stay as exact, since they come
from the kernel.
"""


def page(result: dict[str, Any]) -> str:
    at = result["machine"]
    told = [row for case in result["cases"].values() for row in case.values()]
    days = sorted(row["at"] for row in told)
    loads = [row["load"] for row in told]
    when = " to ".join(dict.fromkeys((days[0], days[-1]))) + " UTC" if days else "never"
    load = f"{min(loads):.1f} to {max(loads):.1f}" if loads else "not known"
    return f"""# Performance

How fast and how exact the load engine is, beside other clients on the same core. This page is written by

    python benchmarks/client/run.py --peers --docs docs/measured/performance.md

from what it measured; no figure in it was typed. Measured {when} in {result["seconds"] / 60:.0f} minutes.
Machine: {at["cpu"]}, {at["cores"]} cores, {at["system"]}, Python {at["python"]}. Figures are medians of the
rounds, in which all clients take turns; where a table does not say how
many, of {_rounds(result)}. The clients ran on one core, the server on another, priority
{at["priority"]}; the load average after a row's last round, the benchmark's own processes in it, was
{load}. Absolute figures move with the machine: compare the rows of one table.

- The server (`benchmarks/client/server.c`) writes into each event the time at which it sends it and knows
  the true TTFT, from the arrival of the request at its socket to its first send. Its tokens are made up, its
  pace is set: no model runs here.
- *Error* is the time a client has for an event minus the time of its send. ttftop's is taken from its
  records, first token plus gaps, as a session keeps them; the others' where their loop reads the clock.
- ttftop decodes the JSON of every event and counts its tokens in all rows. The C reader only looks for the
  start of events. SGLang's Rust client is the whole tool; it keeps no time of single events.
- CPU is user and system time of the client's process from its first connection to its last event. vLLM,
  SGLang's Python client, GuideLLM and AIPerf are whole tools too; their events/s are by their own count and
  duration, their CPU time has start-up and report in it, their memory is the sum over their processes.
- Rows of *the whole product* are runs of `ttftop` itself, supervisor, one worker and screen all on the
  clients' core; their errors are from the session's files. The screen draws on a pseudo-terminal of 120x40,
  which is read all the time, and in the middle not at all for 10 s. RSS counts a page that processes share in
  each of them; PSS divides it among them.
- RSS of a client in the open throttle grows with the number of its requests, whose results it keeps until the
  end; a worker of ttftop writes them to disk instead (see the rows of the whole product).
- Start to first request is from the command to the arrival at the server of the first request for a stream;
  ttftop's is the first of its load, after its probes, with both cores free for it.
- *Installed* is all of an environment's packages without pip and compiled Python, with the torch for CPUs
  where torch is needed. SGLang's two clients are one package; the Rust one runs without its dependencies.

{tables(result)}

{WHY_FAST}"""


def _rounds(result: dict[str, Any]) -> str:
    counts = sorted({row["rounds"] for case in result["cases"].values() for row in case.values()})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else "none"

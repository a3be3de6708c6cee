"""A trace as it is typed, and those that the command has read for the run that it starts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sessions.plan.trace_config import TraceConfig
from tui.options import value_types
from tui.options.as_typed import got_by
from tui.options.exit_codes import CommandError, tell

if TYPE_CHECKING:
    from sessions.run.traces import Traces

_LARGE_BYTES = 64 << 20
"""Takes some seconds to read."""
SAID_BY_A_TRACE = (
    *("rate", "ramp", "concurrency", "arrivals", "burstiness", "input_tokens", "output_tokens"),
    *("turns", "think", "system_tokens", "conversation_header"),
)
"""When requests are due, how long they are, and what they are turns of."""


def trace_arguments(load: argparse._ActionsContainer) -> None:
    load.add_argument(
        "--trace",
        type=value_types.trace,
        metavar="FILE",
        help="requests as those of a trace (Mooncake, BurstGPT, Azure) or of a session of ours",
    )
    load.add_argument(
        "--speed", type=value_types.speed, metavar="X", help="a trace so many times as fast: 2x (1x)"
    )
    load.add_argument(
        "--trace-rate",
        type=value_types.rate,
        metavar="R",
        help="a trace as fast as it takes to come to R requests per second on average",
    )


def asked_trace(options: argparse.Namespace) -> TraceConfig | None:
    """The trace that is asked for, not read yet.

    Raises:
        CommandError: something else was asked for that a trace says.
    """
    if options.trace is None:
        for name in ("speed", "trace_rate"):
            if getattr(options, name) is not None:
                raise CommandError(f"{got_by(options, name)}, which is of a trace; give --trace FILE as well")
        return None
    for name in SAID_BY_A_TRACE:
        if getattr(options, name) is not None:
            shown = name.replace("_", "-")
            got = got_by(options, name)
            raise CommandError(f"{got}, but the trace says it; give --trace or --{shown}, not both")
    if options.speed is not None and options.trace_rate is not None:
        got = got_by(options, "trace_rate")
        raise CommandError(f"{got}, but --speed says it too; give --speed or --trace-rate, not both")
    return TraceConfig(options.trace, speed=options.speed, rate_rps=options.trace_rate)


def tell_of_reading(path: str) -> None:
    """Says so where reading a trace takes long."""
    try:
        size = Path(path).stat().st_size
    except (OSError, ValueError):
        return
    if size >= _LARGE_BYTES:
        tell(f"ttftop: reading the trace, {size >> 20:,} MiB; --requests or --duration take a part of it")


def traces_of(options: argparse.Namespace) -> Traces:
    """The traces that the command has read so far, for the run that it starts."""
    from sessions.run.traces import Traces
    from sessions.store.directory import default_root

    if options.traces is None:
        options.traces = Traces(getattr(options, "sessions_dir", None) or default_root())
    found: Traces = options.traces
    return found

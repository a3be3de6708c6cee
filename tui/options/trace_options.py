"""A trace as it is typed, and those that the command has read for the run that it starts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sessions.plan.trace_config import TraceConfig
from tui.options.exit_codes import CommandError

if TYPE_CHECKING:
    from sessions.run.traces import Traces

SAID_BY_A_TRACE = (
    *("rate", "ramp", "concurrency", "arrivals", "burstiness", "input_tokens", "output_tokens"),
    *("turns", "think", "system_tokens", "conversation_header"),
)
"""When requests are due, how long they are, and what they are turns of."""


def asked_trace(options: argparse.Namespace) -> TraceConfig | None:
    """The trace that is asked for, not read yet.

    Raises:
        CommandError: something else was asked for that a trace says.
    """
    if options.trace is None:
        for name in ("speed", "trace_rate"):
            if getattr(options, name) is not None:
                shown = name.replace("_", "-")
                raise CommandError(f"--{shown}: it is of a trace; give --trace FILE as well")
        return None
    for name in SAID_BY_A_TRACE:
        if getattr(options, name) is not None:
            shown = name.replace("_", "-")
            raise CommandError(f"--{shown}: the trace says it; give --trace or --{shown}, not both")
    if options.speed is not None and options.trace_rate is not None:
        raise CommandError(
            "--trace-rate: it says how fast the trace is; give --speed or --trace-rate, not both"
        )
    return TraceConfig(options.trace, speed=options.speed, rate_rps=options.trace_rate)


def traces_of(options: argparse.Namespace) -> Traces:
    """The traces that the command has read so far, for the run that it starts."""
    from sessions.run.traces import Traces
    from sessions.store.directory import default_root

    if options.traces is None:
        options.traces = Traces(getattr(options, "sessions_dir", None) or default_root())
    found: Traces = options.traces
    return found

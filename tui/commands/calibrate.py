"""`ttftop calibrate`: how much of a load this machine's client can take before it is the limit itself."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Coroutine
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from tui.options import value_types
from tui.options.exit_codes import NOT_VALID, OK, CommandError, one_line
from tui.options.parser import Parser

if TYPE_CHECKING:
    from sessions.calibration.result import Trial

T = TypeVar("T")

EPILOG = """\
The load worker of a run is pointed at a server of ours that writes down when it sent each token. The load
is doubled until the times are off by 1 ms (p99), tokens run together, the worker uses 0.6 of a core, or
requests leave 2 ms late (p99). The highest clean load is kept for this machine, Python and version of
ttftop; `ttftop doctor` shows it, and every run says how far below it was. Takes a minute or two. Close what
else is busy on this machine before.
"""


def parser() -> Parser:
    parser = Parser("ttftop calibrate", "[options]", "Measure the client itself on this machine.", EPILOG)
    parser.add_argument(
        "--seconds", type=value_types.duration, default=3.0, metavar="TIME", help="length of each load (3s)"
    )
    parser.add_argument(
        "--most", type=value_types.events, metavar="N", help="try no more than N events per second (128000)"
    )
    parser.add_argument("--dry-run", action="store_true", help="measure and print, keep nothing")
    return parser


def run(options: argparse.Namespace) -> int:
    import asyncio

    from sessions.calibration import measure
    from sessions.calibration import result as calibrated
    from sessions.own_process import CannotStart

    if options.seconds < 0.5:
        raise CommandError(f"--seconds: got {options.seconds:g}, need at least 0.5")
    if options.most is not None and options.most < measure.LEAST:
        raise CommandError(f"--most: got {options.most:g}, need at least {measure.LEAST:g}")

    print(HEADER, flush=True)
    try:
        steps = asyncio.run(
            _until_a_signal(
                measure.sweep(
                    lambda load: measure.measure(load, options.seconds),
                    lambda step: print(row(step), flush=True),
                    options.most or measure.MOST,
                )
            )
        )
    except (measure.CalibrationError, CannotStart, OSError) as error:
        raise CommandError(
            f"calibrate: {one_line(error)}; ttftop doctor shows what is amiss here", NOT_VALID
        ) from None
    best, limit = measure.outcome(steps)
    if not best:
        print(f"\nnot even {steps[-1].asked_events_per_s:,.0f} events/s were clean: {limit}")
        return NOT_VALID
    print(f"\nclean up to {best:,.0f} events/s for each load worker; beyond: {limit}")
    if options.dry_run:
        return OK
    if options.most is not None and limit == measure.NO_LIMIT:
        print("not kept: --most ended the search before the limit was found")
        return OK
    place = calibrated.path()
    if place is None:
        print("not kept: no home directory is known (HOME is not set)")
        return OK
    kept = calibrated.Calibration(
        machine=calibrated.this_machine(),
        measured_at=datetime.now(timezone.utc).astimezone().isoformat(timespec="seconds"),
        events_per_s=best,
        limit=limit,
        steps=steps,
    )
    try:
        calibrated.save(kept, place)
    except OSError as error:
        raise CommandError(f"calibrate: {place}: {error.strerror}", NOT_VALID) from None
    print(f"kept in {place}")
    return OK


async def _until_a_signal(work: Coroutine[object, object, T]) -> T:
    """What the work returns. A signal cancels it where it waits: all that it started is ended in order.

    Raises:
        KeyboardInterrupt: there was one that is not ignored (as nohup ignores SIGHUP).
    """
    import asyncio

    task = asyncio.ensure_future(work)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(ending, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


HEADER = (
    "events/s  timing error us    send lag   CPU share    coalesced  kernel\n"
    "    sent      p50      p99  p99 us      us/event        reads   times"
)


def row(step: Trial) -> str:
    """One line of the table."""
    return (
        f"{step.events_per_s:8,.0f} {step.timing_error_p50_us:8.1f} {step.timing_error_p99_us:8.1f} "
        f"{step.send_lag_p99_us:7.0f} {step.cpu_share:5.0%} {step.cpu_us_per_event:6.1f} "
        f"{step.coalesced_share:11.2%} {step.kernel_share:7.0%}  {step.why_not or 'clean'}"
    )

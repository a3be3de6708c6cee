"""Asks once, on a terminal, before another machine gets a load that may be a slip of the fingers.

`--rate 900` is one key from `--rate 90`, and the server may be shared. Only a person is asked: without a
screen nothing is. Who has typed the bound as well (`--max-rate`, `--max-in-flight`) has said it twice.
"""

from __future__ import annotations

import argparse
import sys

from loadgen.target.url import parse_target
from sessions.plan.config import RunConfig
from tui.options.exit_codes import INTERRUPTED, CommandError, tell

ASKED_RPS = 100.0
"""More than most single servers of an LLM answer, and than a hand types without meaning it."""
ASKED_CONCURRENCY = 1000


def ask_about_load(config: RunConfig, options: argparse.Namespace) -> None:
    """Returns where nothing is to be asked, or the answer is yes.

    Raises:
        CommandError: it is not: nothing was sent.
    """
    unusual = unusual_load(config, options)
    if not unusual or not config.interactive or parse_target(config.target.url).loopback:
        return
    load, option = unusual
    tell(f"ttftop: {load} for {config.target.url}, which is another machine ({option} asks no more)")
    tell("Start? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("not started, nothing was sent", INTERRUPTED)


def unusual_load(config: RunConfig, options: argparse.Namespace) -> tuple[str, str] | None:
    """The load in words, and the option that makes it a usual one; None where it is one."""
    load = config.load
    if load.concurrency is not None:
        if load.concurrency <= ASKED_CONCURRENCY or options.max_in_flight is not None:
            return None
        return f"{load.concurrency:,} requests at a time", f"--max-in-flight {load.concurrency}"
    rate_rps = load.highest_rps
    if rate_rps <= ASKED_RPS or options.max_rate is not None:
        return None
    return f"{rate_rps:,.10g} requests per second", f"--max-rate {rate_rps:.10g}"

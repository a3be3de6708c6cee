"""Asks once, on a terminal, before another machine gets a load that may be a slip of the fingers.

`--rate 900` is one key from `--rate 90`, and the server may be shared. Only a person is asked: without a
screen nothing is. Who has typed the bound as well (`--max-rate`, `--max-in-flight`) has said it twice.
"""

from __future__ import annotations

import argparse
import ipaddress
import sys

from loadgen.target.url import parse_target
from sessions.plan.config import PlanConfig, RunConfig
from sessions.plan.loads import loads_of
from tui.draw.plans import said_estimate, said_stages
from tui.options.exit_codes import INTERRUPTED, CommandError, tell

ASKED_RPS = 100.0
"""More than most single servers of an LLM answer, and than a hand types without meaning it."""
ASKED_CONCURRENCY = 1000
PLAN_RPS = 200.0
"""A plan was written with care: this much of it is asked about, also at home."""


def ask_about_load(config: RunConfig, options: argparse.Namespace) -> None:
    """Returns where nothing is to be asked, or the answer is yes. Of a plan it says first what it comes to.

    Raises:
        CommandError: it is not: nothing was sent.
    """
    if config.limit is not None:
        tell(f"ttftop: the search goes on after {said_steps(len(config.limit.before))}")
        ask_about_search(config, options)
        return
    if config.plan is not None:
        _ask_about_plan(config, config.plan, yes=options.yes)
        return
    unusual = unusual_load(config, options)
    elsewhere = [each.url for each in config.target.all if not parse_target(each.url).loopback]
    if not unusual or options.yes or not config.interactive or not elsewhere:
        return
    load, option = unusual
    where = f"{elsewhere[0]}, which is another machine"
    if len(elsewhere) > 1:
        where = f"{elsewhere[0]} and {len(elsewhere) - 1} more, which are other machines"
    tell(f"ttftop: {load} for {where} ({option} asks no more)")
    _ask()


def said_steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"


def ask_about_search(config: RunConfig, options: argparse.Namespace) -> None:
    """A search goes up until targets are missed: nobody does that to another's server by a slip.

    Raises:
        CommandError: the host may be somebody else's, and nobody said yes.
    """
    if not options.yes and (url := somebody_elses(config)):
        raise CommandError(
            f"{url}: a search loads a server up to its limit, and this host may be somebody "
            "else's; give --yes to say that it is yours"
        )


def _ask_about_plan(config: RunConfig, plan: PlanConfig, *, yes: bool) -> None:
    stages = plan.stages[plan.first_stage :]
    said = said_estimate(stages, config.workload, config.target.endpoint)
    tell(f"ttftop: plan {plan.name}: {said_stages(len(stages))}, {said}")
    most_rps = max(load.highest_rps for _, load, _ in loads_of(config))
    why = f"{most_rps:,.10g} requests per second" if most_rps > PLAN_RPS else ""
    if url := somebody_elses(config):
        why = ", ".join(filter(None, (why, f"{url} may be somebody else's")))
    if not why or yes:
        return
    if not config.interactive:
        raise CommandError(f"plan {plan.name}: {why}: give --yes if that is meant")
    tell(f"ttftop: {why} (--yes asks no more)")
    _ask()


def _ask() -> None:
    tell("Start? [y/N] ", end="")
    answer = ""
    try:
        answer = sys.stdin.readline()
    finally:
        if not answer.endswith("\n"):  # Ctrl-C, Ctrl-D: the shell's prompt has a line of its own
            tell("")
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("not started, nothing was sent", INTERRUPTED)


def somebody_elses(config: RunConfig) -> str:
    """The first server that is not surely its owner's own; empty where there is none."""
    return next((each.url for each in config.target.all if not is_private(each.url)), "")


def is_private(url: str) -> bool:
    """Whether the server is surely on this machine or in a network of its owner: by its address, or by a name
    that no public one can have. Nothing is looked up."""
    target = parse_target(url)
    name = target.hop.host.rstrip(".").lower()
    if target.loopback or target.hop.unix_path is not None:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return "." not in name or name.endswith(PRIVATE_NAMES)
    return any(address in network for network in PRIVATE_NETWORKS)


PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Source: RFC 1918, RFC 3927, RFC 4193, RFC 4291. Python's `is_private` has networks of documentation too."""
PRIVATE_NAMES = (".local", ".internal", ".lan", ".home.arpa", ".localhost", ".test")
"""Source: RFC 6762, RFC 6761, RFC 8375, and ICANN's reservation of `internal`."""


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

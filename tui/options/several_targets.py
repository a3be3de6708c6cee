"""Several servers for one load, and addresses to load them from, as a person types them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loadgen.target.url import TargetError, parse_target
from loadgen.transport.source_addresses import is_source, why_not
from loadgen.worker_config import MOST_WEIGHT
from sessions.plan.plan_file import PlanFile
from sessions.plan.target_config import OtherTarget, TargetConfig
from sessions.plan.typed_values import got
from tui.options.exit_codes import CommandError

if TYPE_CHECKING:
    from tui.options.plan_checks import PlanOptions

_WEIGHTED = re.compile(r"(?P<weight>[^@:/]*)@(?P<url>(?:https?|unix):.*)", re.DOTALL | re.IGNORECASE)
"""No URL begins so: what stands before its scheme would be a part of the scheme, which has no `@`."""
NEEDED = f"need a whole number from 1 to {MOST_WEIGHT} before the @, such as 2@http://node2:8000"


def target_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("several servers")
    group.add_argument(
        "--target",
        dest="more_targets",
        type=weighted,
        action="append",
        metavar="[W@]URL",
        help="load this server as well, again for each; W: its weight, 2@http://node2:8000 (1)",
    )
    group.add_argument(
        "--source-address",
        type=source_address,
        action="append",
        metavar="IP",
        help="connections go from this address of ours, again for each: in turn (the kernel chooses)",
    )
    group.set_defaults(targets_of_plan=False, targets_of_session=False)


def weighted(text: str) -> OtherTarget:
    """`[W@]URL`; whether it is a URL is seen later, by what does not repeat a key that it may hold."""
    if (match := _WEIGHTED.fullmatch(text)) is None:
        return OtherTarget(text)
    weight = int(match["weight"]) if re.fullmatch(r"[0-9]{1,9}", match["weight"]) else 0
    if not 1 <= weight <= MOST_WEIGHT:
        # Not repeated: it may be a key.
        raise argparse.ArgumentTypeError(f"the weight is none, {NEEDED}")
    return OtherTarget(match["url"], weight)


def source_address(text: str) -> str:
    """An IP address of this machine."""
    ip = text.strip().strip("[]").lower()
    if not is_source(ip):
        raise argparse.ArgumentTypeError(f"{got(text)}, need an IP address of this machine such as 10.0.0.5")
    if why := why_not(ip):
        raise argparse.ArgumentTypeError(f"{got(text)}, need an address of this machine ({why})")
    return ip


def typed_targets(options: argparse.Namespace) -> list[OtherTarget]:
    """All servers that were named, the first one first; none where none was.

    Raises:
        CommandError: the first one has a weight that is none.
    """
    more: Sequence[OtherTarget] = getattr(options, "more_targets", None) or []
    if options.target is None:
        return list(more)
    try:
        return [weighted(options.target), *more]
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"URL: {error}") from None


def typed_again(options: argparse.Namespace, asked: TargetConfig) -> bool:
    """Whether the servers of a session that goes on were typed once more.

    Raises:
        CommandError: others were.
    """
    typed = typed_targets(options)
    if not typed:
        return False
    try:
        urls = [parse_target(one.url, proxy=asked.proxy, path=asked.path).url for one in typed]
    except TargetError as error:
        raise CommandError(str(error)) from None
    if [OtherTarget(url, one.weight) for url, one in zip(urls, typed, strict=True)] != asked.all:
        raise CommandError(
            "--resume: the session says its servers already; "
            "leave URL and --target out, or type the same with the same weights"
        )
    return True


def of_plan(plan: PlanFile) -> list[OtherTarget]:
    """The servers that a plan names.

    Raises:
        ConfigError: one is none.
    """
    for number, each in enumerate(plan.table.targets):
        try:
            parse_target(each.url)
        except TargetError as error:
            raise plan.error(("targets", number, "url"), str(error)) from None
        if not 1 <= each.weight <= MOST_WEIGHT:
            wrong = f"got {each.weight}, need a whole number from 1 to {MOST_WEIGHT}"
            raise plan.error(("targets", number, "weight"), wrong)
    return [OtherTarget(each.url, each.weight) for each in plan.table.targets]


def check_secrets(options: argparse.Namespace, given: PlanOptions | None, secrets: Sequence[str]) -> None:
    """A plan may be anybody's, and so a session that is resumed, or its plan: what is secret goes to servers
    alone that a person typed. But the one server of a session that has it from no plan is taken as typed.

    `secrets`: what there is, in words.

    Raises:
        CommandError: there is some, and the plan or the session names servers.
    """
    if options.targets_of_session and secrets:
        raise CommandError(
            f"--resume: {secrets[0]} goes to several servers, or to a plan's, only where they are typed: "
            "type those of the session again, URL --target [W@]URL"
        )
    if options.targets_of_plan and given is not None and secrets:
        said = f"{secrets[0]} goes to no server that a plan names alone; type it: --target URL"
        raise CommandError(str(given.plan.error(("targets", 0, "url"), said)))

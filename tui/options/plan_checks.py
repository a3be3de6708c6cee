"""What a plan is refused for before a server hears of it, each with the line of its file."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from loadgen.small_file import FileError, read_small
from loadgen.workload.prompt_source import MOST_BYTES, Kind, PromptFileError, entries
from sessions.plan.config import LoadConfig, beyond_limits
from sessions.plan.plan_file import PlanFile
from sessions.plan.spread import Path
from sessions.plan.stages import Stage
from tui.options.exit_codes import CommandError

_OF_AN_OPTION = re.compile(r"--([a-z-]+)(?::? )(.*)", re.DOTALL)


class PlanOptions(NamedTuple):
    """The options of a run that its plan gave, and nobody typed."""

    plan: PlanFile
    names: frozenset[str]


@contextlib.contextmanager
def at_its_place(given: PlanOptions | None) -> Iterator[None]:
    """A mistake of an option is told with its place in the plan, where the plan gave it.

    Raises:
        CommandError: that was raised within.
    """
    try:
        yield
    except CommandError as error:
        told = _OF_AN_OPTION.fullmatch(str(error))
        name = told[1].replace("-", "_") if told else ""
        if given is None or told is None or name not in given.names:
            raise
        raise CommandError(str(given.plan.error(("run", name), told[2])), error.exit_code) from None


def read_prompts(plan: PlanFile) -> dict[Path, frozenset[Kind]]:
    """What the files of prompts hold that the plan names, by the places that name them: each is read once, to
    its end, and nothing of it kept.

    Raises:
        ConfigError: one cannot be read, or holds what is no prompt.
    """
    table = plan.table
    places: dict[Path, str | None] = {("run", "prompts"): table.run.get("prompts")}
    for key in ("stages", "mix", "presets"):
        for number, each in enumerate(getattr(table, key)):
            places[(key, number, "prompts")] = each.prompts
    known: dict[str, frozenset[Kind]] = {}
    found = {}
    for place, path in places.items():
        if not isinstance(path, str) or not path:
            continue
        try:
            if path not in known:
                data = read_small(path, MOST_BYTES).data
                known[path] = frozenset(entry.kind for entry in entries(path[-200:], data))
        except FileError as error:
            raise plan.error(place, f"{path[-200:]}: {error}") from None
        except PromptFileError as error:
            raise plan.error(place, str(error)) from None
        found[place] = known[path]
    return found


def check_messages(plan: PlanFile, kinds: Mapping[Path, frozenset[Kind]], endpoint: str | None) -> None:
    """`endpoint`: of the run; None: whichever the server has.

    Raises:
        ConfigError: messages were to go to an endpoint that takes text.
    """
    for place, held in kinds.items():
        own = (
            getattr(plan.table, str(place[0]))[place[1]].endpoint if place[0] in ("mix", "presets") else None
        )
        if Kind.MESSAGES in held and (own or endpoint) == "completions":
            raise plan.error(place, "it holds messages, and completions takes text; need chat")


def check_limits(
    plan: PlanFile, stages: Sequence[Stage], max_rate_rps: float | None, max_in_flight: int | None
) -> None:
    """Limits that are None are the usual ones.

    Raises:
        ConfigError: a stage's load is above one.
    """
    usual = LoadConfig()
    limits = (max_rate_rps or usual.max_rate_rps, max_in_flight or usual.max_in_flight)
    for stage in stages:
        if beyond := beyond_limits(stage, *limits):
            raise plan.error(("stages", stage.table, beyond.key), beyond.words)

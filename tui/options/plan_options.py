"""Options that a plan gives: those of `ttftop run` under `[run]`, read as if they had been typed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sessions.plan.builtin_plans import find_plan
from sessions.plan.config import ConfigError, PlanConfig, WorkloadConfig
from sessions.plan.mix import PRESETS, MixError, MixPart, parse_mix
from sessions.plan.plan_file import PlanFile
from sessions.plan.stages import Stage, scaled
from tui.options import run_options, value_types
from tui.options.as_typed import got_by
from tui.options.exit_codes import CommandError
from tui.options.parser import did_you_mean
from tui.options.plan_checks import PlanOptions, check_limits, check_messages, read_prompts
from tui.options.several_targets import of_plan
from tui.options.trace_options import traces_of
from tui.report.plan_columns import COLUMNS

if TYPE_CHECKING:
    from sessions.run.traces import Traces

OF_THE_STAGES = (
    "rate",
    "ramp",
    "concurrency",
    "duration",
    "requests",
    "arrivals",
    "burstiness",
    "trace",
    "speed",
    "trace_rate",
)
"""What each stage says for itself."""
SAID_BY_A_SESSION = (
    *("set", "scale", "max_in_flight", "max_rate", "drain", "give_up", "seed", "workers"),
    *("nodes", "ray", "on_node_lost"),
    *(
        "model",
        "endpoint",
        "input_tokens",
        "output_tokens",
        "prefix",
        "cache",
        "prompts",
        "prompt_order",
        "mix",
        "body",
        "timeout",
        "slo",
    ),
    *("turns", "think", "system_tokens", "conversation_header"),
    "source_address",
    *("orphan_timeout", "ca", "insecure", "cert", "cert_key", "plain_header", "path", "proxy"),
)
"""What a session that is resumed was asked already, beside its stages: all that is neither a secret, which no
session keeps, nor about the new session. Servers may be typed once more (`tui.options.several_targets`)."""
NOT_IN_A_PLAN = (
    "help",
    "api_key",
    "target",
    "more_targets",
    "source_address",
    "targets_of_plan",
    "targets_of_session",
    "header",
    "plan",
    "set",
    "scale",
    "resume",
    "yes",
    "read_headers",
    "traces",
    "json",
    "junit",
)


def plan_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("plan")
    group.add_argument(
        "--plan", metavar="P", help="stages that follow each other: `ttftop plan list`, or a file"
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="stages.0.rate=4: in place of the plan's",
    )
    group.add_argument(
        "--scale", type=value_types.scale, metavar="X", help="times and numbers of requests times X"
    )
    group.set_defaults(given_by_plan=None)


def plan_of(options: argparse.Namespace) -> PlanConfig | None:
    """The plan that `options` name, whose own options take the place of those not typed; None without one.

    Raises:
        CommandError: there is no such plan, it cannot be, or something was typed that the stages say.
    """
    if options.plan is None:
        for name in ("set", "scale"):
            if getattr(options, name):
                raise CommandError(f"{got_by(options, name)}, which changes a plan; give --plan as well")
        find_mix(options, PRESETS)
        return None
    for name in OF_THE_STAGES:
        if getattr(options, name) is not None:
            got = got_by(options, name)
            raise CommandError(f"{got}, but the stages of a plan say it; give --{name} or --plan, not both")
    try:
        plan = find_plan(options.plan, options.set)
        stages = plan.stages()
        targets = plan.targets()
        check_columns(plan)
        kinds = read_prompts(plan)
        given = plan_run_options(plan)
        for name in [name for name in given if getattr(options, name, None) not in (None, False, "")]:
            del given[name]  # it was typed
        for name, value in given.items():
            setattr(options, name, value)
        options.given_by_plan = PlanOptions(plan, frozenset(given))
        servers = of_plan(plan)
        if servers and getattr(options, "more_targets", ()) is None:  # none was typed
            options.more_targets, options.targets_of_plan = servers, True
        if options.mix is None and plan.table.mix:
            options.mix = plan.table.mix
        find_mix(options, plan.parts())
        check_messages(plan, kinds, options.endpoint)
        by = options.scale or 1.0
        if by != 1.0:
            stages = [scaled(stage, by) for stage in stages]
        stages = with_traces(plan, stages, traces_of(options), by)
        check_limits(plan, stages, options.max_rate, options.max_in_flight)
    except ConfigError as error:
        raise CommandError(str(error)) from None
    return PlanConfig(
        name=plan.table.name,
        title=plan.table.title,
        source=plan.table.source,
        stages=stages,
        scale=by,
        columns=plan.table.report.columns,
        targets=options.slo or targets,
        charts=plan.table.report.charts,
        fits=plan.table.report.fits,
        published=plan.table.published,
        providers=plan.table.providers,
        currency=plan.table.currency,
        presets=plan.table.presets,
    )


def with_traces(plan: PlanFile, stages: list[Stage], traces: Traces, by: float = 1.0) -> list[Stage]:
    """`stages` with the traces read that they name; of those without an end of their own the part `by`.

    Raises:
        ConfigError: one is none.
    """
    found = []
    for stage in stages:
        try:
            found.append(traces.stage(stage, by))
        except ConfigError as error:
            raise plan.error(("stages", stage.table, "trace"), str(error)) from None
    return found


def find_mix(options: argparse.Namespace, known: Sequence[MixPart]) -> None:
    """Puts the parts themselves in the place of a mix that was typed.

    Raises:
        CommandError: it names one that there is not.
    """
    if isinstance(options.mix, str):
        try:
            options.mix = parse_mix(options.mix, known)
        except MixError as error:
            raise CommandError(f"--mix: {error}") from None


def plan_workload(plan: PlanFile, run: Mapping[str, Any]) -> WorkloadConfig:
    """What the plan asks for where its stages say nothing else; `run`: as `plan_run_options` gives it.

    Raises:
        ConfigError: its mix names what is not there.
    """
    names = ("input_tokens", "output_tokens", "prefix", "cache", "prompts", "prompt_order", "body")
    mix = plan.table.mix
    if (typed := run.get("mix")) is not None:
        try:
            mix = parse_mix(typed, plan.parts())
        except MixError as error:
            raise plan.error(("run", "mix"), str(error)) from None
    return WorkloadConfig(mix=mix, **{name: run[name] for name in names if name in run})


def check_columns(plan: PlanFile) -> None:
    """Raises:
    ConfigError: the plan's report names a column that no stage has.
    """
    report = plan.table.report
    for number, name in enumerate(report.columns):
        _column(plan, ("report", "columns", number), name)
    for key in ("charts", "fits"):
        for number, text in enumerate(getattr(report, key)):
            y, over, x = text.partition(" over ")
            if not over:
                raise plan.error(("report", key, number), f"got {text[:60]!r}, need two columns, as Y over X")
            _column(plan, ("report", key, number), y)
            _column(plan, ("report", key, number), x)


def _column(plan: PlanFile, path: tuple[str | int, ...], name: str) -> None:
    if name not in COLUMNS:
        raise plan.error(path, f"there is no column {name[:60]!r}{did_you_mean(name, COLUMNS)}")


def plan_run_options(plan: PlanFile) -> dict[str, Any]:
    """Names and values of `[run]`, as argparse would have read them.

    Raises:
        ConfigError: there is no such option, or it does not take the value.
    """
    parser = argparse.ArgumentParser(add_help=False)
    run_options.load_arguments(parser)
    run_options.session_arguments(parser)
    run_options.key_arguments(parser)
    known = {action.dest: action for action in parser._actions if action.dest not in NOT_IN_A_PLAN}
    return {name: _read(plan, known, name, value) for name, value in plan.table.run.items()}


def _read(plan: PlanFile, known: dict[str, argparse.Action], name: str, value: Any) -> Any:
    path = ("run", name)
    if name in OF_THE_STAGES:
        raise plan.error(path, "each stage says it for itself: put it under [[stages]]")
    action = known.get(name)
    if action is None:
        raise plan.error(path, f"there is no such option{did_you_mean(name, known)}")
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise plan.error(path, f"got {str(value)[:60]!r}, need true or false")
        return value
    several = action.nargs == "+" or isinstance(action, argparse._AppendAction)
    if several:
        if not isinstance(value, list):
            raise plan.error(path, f"got {str(value)[:60]!r}, need a list")
        return [_one(plan, path, action, item) for item in value]
    return _one(plan, path, action, value)


def _one(plan: PlanFile, path: tuple[str, str], action: argparse.Action, value: Any) -> Any:
    if isinstance(value, (bool, list, dict)):
        raise plan.error(path, f"got {str(value)[:60]!r}, need a number or a text")
    text = repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
    try:
        made = text if action.type is None else action.type(text)  # type: ignore[operator]
    except (argparse.ArgumentTypeError, ValueError, ConfigError) as error:
        raise plan.error(path, str(error)) from None
    if action.choices is not None and made not in action.choices:
        raise plan.error(path, f"got {text[:60]!r}, need one of {', '.join(map(str, action.choices))}")
    return made

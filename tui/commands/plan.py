"""`ttftop plan list|show|check`: the plans there are, one of them in words, whether a file is one."""

from __future__ import annotations

import argparse

from loadgen.errors import printable
from sessions.plan.builtin_plans import find_plan, names
from sessions.plan.config import WorkloadConfig, stage_workload
from sessions.plan.plan_file import PlanFile
from sessions.plan.stages import Stage
from tui.commands import run as run_command
from tui.draw.plans import said_estimate, said_stages
from tui.options.exit_codes import CommandError, one_line
from tui.options.parser import Parser
from tui.options.plan_checks import PlanOptions, at_its_place
from tui.options.plan_options import plan_run_options, plan_workload
from tui.options.target_options import EXAMPLE, api_key
from tui.report.lengths import asked_lengths, asked_words

EXAMPLES = """\
examples:
  ttftop plan list
  ttftop plan show kaito-vllm
  ttftop plan check mine.toml
  ttftop run http://localhost:8000 --plan kaito-vllm --scale 0.1
"""


def parser() -> Parser:
    parser = Parser(
        "ttftop plan", "list | show NAME | check FILE", "Plans: loads that follow each other.", EXAMPLES
    )
    parser.add_argument("action", choices=("list", "show", "check"), metavar="list|show|check")
    parser.add_argument(
        "plan", nargs="?", metavar="NAME|FILE", help="one that comes with ttftop, or a TOML file"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="stages.0.rate=4: in place of what it says",
    )
    return parser


def run(options: argparse.Namespace) -> int:
    if options.action == "list":
        if options.plan is not None:
            raise CommandError(
                f"plan list: got {one_line(options.plan)!r}, takes no name; ttftop plan show NAME shows one"
            )
        rows = [(name, find_plan(name).table.title) for name in names()]
        width = max(len(name) for name, _ in rows)
        print("\n".join(f"{name:{width}}  {title}" for name, title in rows))
        return 0
    if options.plan is None:
        raise CommandError(f"plan {options.action}: need a name or a file; ttftop plan list shows the names")
    given, stages = _as_a_run(options)
    said = f"{given.plan.shown}: a plan of {said_stages(len(stages))}"
    print(said if options.action == "check" else _shown(given.plan, stages))
    return 0


def _as_a_run(options: argparse.Namespace) -> tuple[PlanOptions, list[Stage]]:
    """The plan with its stages, after all that a run does before it asks the server.

    Raises:
        CommandError: a run would be refused.
    """
    typed = run_command.parser().read([EXAMPLE, "--plan", options.plan])
    typed.set = options.set
    config = run_command.asked(typed)
    given: PlanOptions = typed.given_by_plan
    if typed.api_key_file is not None:
        with at_its_place(given):
            api_key(typed)
    assert config.plan is not None
    return given, config.plan.stages


def _shown(plan: PlanFile, stages: list[Stage]) -> str:
    table = plan.table
    shared = plan_run_options(plan)
    work = plan_workload(plan, shared)
    lines = [f"{table.name}: {printable(table.title)}" if table.title else table.name]
    if table.source:
        lines.append(f"source  {printable(table.source)}")
    if table.about.strip():
        lines += ["", *map(printable, table.about.strip().splitlines())]
    if shared:
        lines += [
            "",
            "every stage",
            *(f"  {name} = {printable(str(value))}" for name, value in shared.items()),
        ]
    if work.mix:
        lines += ["", asked_words(work)]
    lines += ["", f"{'stage':>5}  {'what':34} {'for':>10} {'requests':>9}  {'in':>8} {'out':>8}"]
    for number, stage in enumerate(stages, 1):
        lines.append(_row(number, stage, stage_workload(work, stage)))
    lines += ["", said_estimate(stages, work, shared.get("endpoint") or "auto")]
    if table.slo.targets:
        lines.append(f"targets  {printable(', '.join(table.slo.targets))}")
    for published in table.published:
        lines += ["", f"published: {printable(published.title)}", f"  {printable(published.source)}"]
    return "\n".join(lines)


def _row(number: int, stage: Stage, work: WorkloadConfig) -> str:
    seconds = stage.longest_s if stage.trace is not None else stage.duration_s
    time = "-" if seconds is None else f"{seconds:.6g} s"
    requests = stage.expected_requests
    exact = stage.trace is not None or stage.requests == requests
    count = "-" if requests is None else f"{'' if exact else '~'}{requests:,.0f}"
    into, out = asked_lengths(work)
    if stage.trace is not None and (figures := stage.trace.figures) is not None:
        into, out = f"~{figures.input_mean:.0f}", f"~{figures.output_mean:.0f}"
    return f"{number:>5}  {printable(stage.name, 34):34} {time:>10} {count:>9}  {into:>8} {out:>8}".rstrip()

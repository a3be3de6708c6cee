"""`ttftop URL`, `ttftop run URL`: load a server, watch it, keep the session."""

from __future__ import annotations

import argparse

import msgspec

from sessions.plan.config import ConfigError, RunConfig
from tui.foreground import start
from tui.foreground.question import ask_about_load
from tui.options import run_options
from tui.options.as_typed import got_by
from tui.options.exit_codes import CommandError
from tui.options.parser import Parser
from tui.options.plan_checks import at_its_place
from tui.options.plan_options import OF_THE_STAGES, SAID_BY_A_SESSION, plan_arguments, plan_of
from tui.options.several_targets import target_arguments, typed_again
from tui.options.target_options import (
    api_key,
    headers,
    headers_again,
    refuse_secrets_to_a_plan,
    target,
    tell_of_headers,
)
from tui.options.trace_options import traces_of

EXAMPLES = """\
examples:
  ttftop http://localhost:8000 --rate 4
  ttftop http://localhost:8000 --ramp 1..64/120s:exp --output-tokens 128
  ttftop http://localhost:8000 --concurrency 16 --duration 60s --headless
  ttftop run http://localhost:8000 --plan kaito-vllm --scale 0.1
  ttftop http://node1:8000 --target http://node2:8000 --target 2@http://node3:8000 --rate 40
  ttftop https://node7/v1 --ca ca.pem --telemetry nvml http://node7:9400/metrics
"""


def parser() -> Parser:
    parser = Parser(
        "ttftop run",
        "URL [options]",
        "Load a server and watch it; keys change the load while it runs.",
        EXAMPLES,
    )
    parser.add_argument("target", nargs="?", metavar="URL", help="the server, such as http://localhost:8000")
    run_options.load_arguments(parser)
    plan_arguments(parser)
    parser.add_argument(
        "--resume", metavar="SESSION", help="go on with the plan of a session, where it was left"
    )
    run_options.session_arguments(parser)
    run_options.key_arguments(parser)
    target_arguments(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    more = headers(options)
    if options.resume is not None:
        config = _resumed(options)
        more += headers_again(config.target.headers, more)
    else:
        config = asked(options, interactive=start.has_screen(options))
    with at_its_place(options.given_by_plan):
        key = api_key(options)
    refuse_secrets_to_a_plan(options, key)
    ask_about_load(config, options)
    tell_of_headers(options)
    return start.start(config, options, key, more).exit_code


def asked(options: argparse.Namespace, *, interactive: bool = False) -> RunConfig:
    """All that is asked for by the options and by the plan that they name, every file of it read.

    Raises:
        CommandError: it cannot be.
    """
    plan = plan_of(options)
    with at_its_place(options.given_by_plan):
        return run_options.config(options, target(options), interactive=interactive, plan=plan)


def _resumed(options: argparse.Namespace) -> RunConfig:
    """What the session was asked that `--resume` names, from the stage in which its plan was left.

    Raises:
        CommandError: it has none, or something was typed that the session says.
    """
    from sessions.run.resume import resumed
    from sessions.store.manifest import SessionError
    from tui.commands.attach import resting_session

    for name in ("plan", *OF_THE_STAGES, *SAID_BY_A_SESSION):
        if getattr(options, name) not in (None, [], False):
            shown = f"--{name.replace('_', '-')}"
            got = got_by(options, name)
            raise CommandError(f"{got}, but with --resume the session says it already; leave {shown} out")
    try:
        config = resumed(resting_session(start.root(options), options.resume))
        if config.plan is not None and any(stage.trace is not None for stage in config.plan.stages):
            plan = traces_of(options).plan(config.plan)
            config = msgspec.structs.replace(config, plan=plan)
    except (ConfigError, SessionError) as error:
        raise CommandError(str(error)) from None
    named_by_it = config.target.others is not None or config.target.weight is not None
    options.targets_of_session = not typed_again(options, config.target) and named_by_it
    # Another seed: the prompts of the first stages are in the server's cache by now.
    load = msgspec.structs.replace(config.load, seed=run_options.drawn_seed())
    return msgspec.structs.replace(
        config,
        load=load,
        name=options.name or config.name,
        telemetry=options.telemetry or config.telemetry,
        tags=options.tag or config.tags,
        interactive=start.has_screen(options),
    )

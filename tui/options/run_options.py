"""The options that `run` and `demo` share, and the `RunConfig` that they make."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import msgspec

from sessions.plan.config import ConfigError, LoadConfig, PlanConfig, RunConfig, WorkloadConfig, checked
from sessions.plan.target_config import TargetConfig
from tui.draw.theme_names import THEMES
from tui.options import value_types
from tui.options.as_typed import got_by
from tui.options.conversation_options import conversation_asked
from tui.options.exit_codes import CommandError
from tui.options.node_options import node_arguments, nodes_asked, role
from tui.options.parser import Refuse
from tui.options.request_options import request_arguments
from tui.options.trace_options import asked_trace, tell_of_reading, trace_arguments, traces_of

KEY_IN_THE_OPEN = (
    "--api-key: a key on the command line can be read by everyone on this machine; "
    "set TTFTOP_API_KEY or OPENAI_API_KEY, or give --api-key-file FILE"
)


def load_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(traces=None)
    load = parser.add_argument_group("load")
    load.add_argument("--rate", type=value_types.rate, metavar="R", help="requests per second (1)")
    load.add_argument(
        "--ramp",
        type=value_types.ramp,
        metavar="RAMP",
        help="from one rate to another: 1..64/120s, 1..64/2m:exp",
    )
    load.add_argument(
        "--concurrency",
        type=value_types.count,
        metavar="N",
        help="closed loop: N at a time, each waits for its answer",
    )
    load.add_argument(
        "--max-rate",
        type=value_types.rate,
        metavar="R",
        help="refuse rates above, also from keys (1000)",
    )
    load.add_argument(
        "--duration", type=value_types.duration, metavar="TIME", help="stop after 90, 60s, 5m, 1h"
    )
    load.add_argument("--requests", type=value_types.count, metavar="N", help="stop after N requests")
    trace_arguments(load)
    common_load_arguments(load)
    request_arguments(parser)


def common_load_arguments(load: argparse._ActionsContainer) -> None:
    """Of any load, also one that is searched for."""
    load.add_argument(
        "--arrivals",
        choices=("constant", "poisson", "gamma"),
        metavar="A",
        help="constant, poisson: as independent users, or gamma: in bursts (poisson)",
    )
    load.add_argument(
        "--burstiness",
        type=value_types.burstiness,
        metavar="B",
        help="of gamma arrivals, as in vLLM's benchmark: below 1 in bursts, 1 Poisson, above more even (1)",
    )
    load.add_argument(
        "--max-in-flight", type=value_types.count, metavar="N", help="never more than N at once (4096)"
    )
    load.add_argument(
        "--drain",
        type=value_types.duration,
        metavar="TIME",
        help="at the end, wait so long for answers in flight (1h; silent ones meet their --timeout)",
    )
    load.add_argument(
        "--give-up",
        type=value_types.give_up,
        metavar="N",
        help="end (a screen: stop sending) when the first N requests all fail; off: never (100)",
    )
    load.add_argument(
        "--seed", type=value_types.seed, metavar="S", help="same seed, same arrivals and prompts (drawn)"
    )
    load.add_argument(
        "--workers",
        type=value_types.workers,
        metavar="N",
        help="processes that send; auto: as the load and the cores need (auto)",
    )
    node_arguments(load)


def session_arguments(parser: argparse.ArgumentParser, *, has_verdict: bool = True) -> None:
    """`has_verdict`: its targets are held against the run as a whole."""
    group = parser.add_argument_group("session")
    group.add_argument("--yes", action="store_true", help="ask nothing before a load that may be a slip")
    group.add_argument("--headless", action="store_true", help="no screen: a progress line, then the summary")
    group.add_argument(
        "--json", action="store_true", help="without a screen: the summary as one JSON object on stdout"
    )
    slo_arguments(group)
    if has_verdict:
        undecided_argument(group)
    else:
        parser.set_defaults(fail_if_undecided=False)
    group.add_argument(
        "--name", type=value_types.name, default="", metavar="NAME", help="a name to find the session by"
    )
    group.add_argument(
        "--tag",
        type=value_types.tag,
        action="append",
        metavar="NAME=VALUE",
        help="a word kept with the run, again for each one: gpu=H100 (compare --by gpu)",
    )
    group.add_argument(
        "--metrics-port",
        type=value_types.listening,
        metavar="[HOST:]PORT",
        help="serve the run's figures to Prometheus there",
    )
    sessions_dir(group)
    telemetry_argument(group)
    group.add_argument(
        "--role",
        type=role,
        action="append",
        metavar="H=ROLE",
        help="what a machine's GPUs do for the server: node1=prefill, node2=decode",
    )
    group.add_argument(
        "--orphan-timeout",
        type=value_types.duration,
        metavar="TIME",
        help="a run without end stops this long after its last viewer left (60s)",
    )
    screen_arguments(group)


def slo_arguments(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--slo",
        type=value_types.slo,
        action="append",
        metavar="SLO",
        help="targets: 'ttft.p95<500ms, itl.p99<50ms, errors<1%%', mlperf:llama3.1-8b; missed is exit code 1",
    )
    parser.add_argument(
        "--junit", type=value_types.file_to_write, metavar="FILE", help="write verdicts as JUnit XML, for CI"
    )


def undecided_argument(parser: argparse._ActionsContainer) -> None:
    """Of what has a verdict on its targets: a search for the limit has none but its answer."""
    parser.add_argument(
        "--fail-if-undecided", action="store_true", help="exit code 1, too, if requests were too few to tell"
    )


def telemetry_argument(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--telemetry",
        type=value_types.source,
        nargs="+",
        action="extend",
        metavar="T",
        help="auto, none, nvml, host, ssh://host, or URLs of /metrics pages (auto)",
    )


def sessions_dir(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--sessions-dir", type=Path, metavar="DIR", help="where sessions are kept")


def screen_arguments(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--plain", action="store_true", help="no screen: a line a second, for logs and ears")
    parser.add_argument("--no-color", action="store_true", help="no colours (also: NO_COLOR=1)")
    parser.add_argument(
        "--theme",
        choices=THEMES,
        metavar="T",
        help=f"colours: {', '.join(THEMES)} (auto, or as in ttftop settings)",
    )
    parser.add_argument(
        "--charset", choices=("braille", "ascii"), metavar="C", help="draw with braille or ascii"
    )
    parser.add_argument(
        "--debug", action="store_true", help="write what each process does to the session's log/"
    )


def key_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="or set TTFTOP_API_KEY or OPENAI_API_KEY"
    )
    group.add_argument("--ca", type=Path, metavar="FILE", help="trust this certificate authority (PEM)")
    group.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    group.add_argument("--cert", type=Path, metavar="FILE", help="a certificate of our own (PEM)")
    group.add_argument("--cert-key", type=Path, metavar="FILE", help="its key, where --cert does not hold it")
    group.add_argument(
        "--header",
        action="append",
        metavar="H",
        help="'Name: value' or @FILE with such lines, kept secret; also TTFTOP_HEADERS",
    )
    group.add_argument(
        "--plain-header", action="append", metavar="H", help="the same, no secret: kept in the session"
    )
    group.set_defaults(read_headers=None)
    group.add_argument("--path", metavar="PATH", help="where requests go, such as /v3/chat/completions")
    group.add_argument(
        "--proxy", metavar="URL", help="an HTTP proxy on the way, http://host:port (none; no *_PROXY is read)"
    )
    group.add_argument("--api-key", "--apikey", "--api_key", action=Refuse, explanation=KEY_IN_THE_OPEN)


def config(
    options: argparse.Namespace,
    target: TargetConfig,
    *,
    interactive: bool,
    plan: PlanConfig | None = None,
) -> RunConfig:
    """What the options ask for; what was not given keeps the default of `sessions.plan.config`.

    Raises:
        CommandError: a value is out of range, or two do not go together.
    """
    if options.rate is not None and options.ramp is not None:
        got = got_by(options, "rate")
        raise CommandError(f"{got}, but a ramp says its own rates; give --rate or --ramp, not both")
    if options.rate is not None and options.concurrency is not None:
        got = got_by(options, "rate")
        raise CommandError(f"{got}, but a closed loop has no rate; give --rate or --concurrency, not both")
    trace = asked_trace(options)
    if options.burstiness is not None and options.arrivals not in (None, "gamma"):
        got = got_by(options, "burstiness")
        raise CommandError(f"{got}, and --arrivals {options.arrivals}; need --arrivals gamma, or none")
    if options.burstiness is not None and options.concurrency is not None:
        got = got_by(options, "burstiness")
        raise CommandError(f"{got}, but a closed loop has no arrivals; give --burstiness or --concurrency")
    load = LoadConfig(
        **_given(
            rate_rps=options.rate if options.ramp is None else options.ramp.from_rps,
            arrivals=options.arrivals or (None if options.burstiness is None else "gamma"),
            burstiness=options.burstiness,
            ramp=options.ramp,
            concurrency=options.concurrency,
            max_in_flight=options.max_in_flight or _cap_for(options.concurrency),
            max_rate_rps=options.max_rate,
            duration_s=options.duration,
            requests=options.requests,
            seed=drawn_seed() if options.seed is None else options.seed,
            workers=options.workers,
            give_up=options.give_up,
            trace=trace,
        )
    )
    if trace is not None:
        tell_of_reading(trace.file)
    try:
        load = traces_of(options).load(load)
    except ConfigError as error:
        raise CommandError(f"--{error}") from None
    work = WorkloadConfig(
        **_given(
            input_tokens=options.input_tokens,
            output_tokens=options.output_tokens,
            prefix=options.prefix,
            cache=options.cache,
            prompts=options.prompts,
            prompt_order=options.prompt_order,
            mix=options.mix,
            body=options.body,
            **conversation_asked(options),
        )
    )
    if work.turns is not None and target.endpoint == "auto":
        # What is said goes on from what was answered: as messages, where nobody asks for one text.
        target = msgspec.structs.replace(target, endpoint="chat")
    asked = RunConfig(
        target=target,
        load=load,
        workload=work,
        name=options.name,
        plan=plan,
        interactive=interactive,
        **_given(
            telemetry=options.telemetry,
            roles=options.role or [],
            nodes=nodes_asked(options),
            tags=_last_of_each(options.tag),
            slo=options.slo,
            orphan_timeout_s=options.orphan_timeout,
            drain_s=options.drain,
            timeouts=None if options.timeout is None else dict(options.timeout),
        ),
    )
    try:
        return checked(asked)
    except ConfigError as error:
        raise CommandError(str(error)) from None


def _last_of_each(tags: list[str] | None) -> list[str] | None:
    """Of a tag that was given twice the last value holds."""
    if tags is None:
        return None
    return [
        f"{name}={value}" for name, value in {t.split("=", 1)[0]: t.split("=", 1)[1] for t in tags}.items()
    ]


def drawn_seed() -> int:
    """Another one each run: prompts that a server has seen before are in its prefix cache, which would answer
    in its place."""
    return int.from_bytes(os.urandom(4), "big") % 1_000_000


def _cap_for(concurrency: int | None) -> int | None:
    """A closed loop may have in flight what it asks for; None: as ever."""
    return concurrency if concurrency is not None and concurrency > LoadConfig().max_in_flight else None


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}

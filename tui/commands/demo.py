"""`ttftop demo`: a run against the simulated server, started here, with a load that finds its limit."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time

from loadgen.readable import readable
from sessions.own_process import module_command
from sessions.plan.ramp import Ramp
from sessions.plan.target_config import TargetConfig
from tui.foreground import start
from tui.options import run_options
from tui.options.exit_codes import CommandError
from tui.options.parser import Parser
from tui.options.plan_checks import at_its_place
from tui.options.plan_options import plan_arguments, plan_of

EXAMPLES = """\
examples:
  ttftop demo                           the screen: up, down, = and space change the load
  ttftop demo --rate 6                  start at another rate
  ttftop demo --slo 'ttft.p99<1s'       with another target
  ttftop demo --duration 20s --headless
"""

RAMP_S = 60.0
IDLE_S = 120
"""The simulator ends by itself this long after the last request: a detached run may outlive this command."""
START_S = 20.0
TARGETS = "ttft.p95<500ms, itl.p95<100ms"
"""Of a demo that names none: so that it is seen what a target looks like, held and missed. Without a screen
the exit code does not count them: it says whether it ran, for scripts that only try it."""


def parser() -> Parser:
    from loadgen.simulator.profiles import PROFILES

    parser = Parser(
        "ttftop demo",
        "[options]",
        "Load a simulated LLM server: every screen and key, no GPU and no model.",
        EXAMPLES,
    )
    parser.add_argument(
        "--profile", choices=sorted(PROFILES), metavar="P", help=f"{', '.join(PROFILES)} (demo)"
    )
    run_options.load_arguments(parser)
    plan_arguments(parser)
    run_options.session_arguments(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    plan = plan_of(options)
    said = (plan, options.rate, options.concurrency, options.ramp, options.trace)
    if all(one is None for one in said):
        options.ramp = ramp_of(options.profile, options.duration)
    options.name = options.name or "demo"
    with Simulator(options.profile, options.seed or 0) as simulator:
        target = TargetConfig(url=simulator.url, model=options.model, endpoint=options.endpoint or "auto")
        interactive = start.has_screen(options)
        # What is asked for to judge by targets judges by the person's own.
        judged = options.junit is not None or options.fail_if_undecided
        can = plan is None and options.endpoint != "embeddings"
        if can and options.slo is None and (interactive or not judged):
            options.slo, options.targets_judge = [TARGETS], interactive
        with at_its_place(options.given_by_plan):
            config = run_options.config(options, target, interactive=interactive, plan=plan)
        outcome = start.start(config, options, None)
        if outcome.goes_on:
            simulator.leave()
    return outcome.exit_code


def ramp_of(profile: str | None, duration_s: float | None) -> Ramp:
    """From a comfortable rate to one past what the profile can do, within the run: so that the knee is
    seen."""
    from loadgen.simulator.profiles import PROFILES

    to_rps = PROFILES[profile or "demo"].demo_to_rps
    over_s = RAMP_S if duration_s is None or duration_s >= RAMP_S else duration_s * 0.8
    return Ramp(from_rps=1.0, to_rps=to_rps, over_s=over_s)


class Simulator:
    """The simulated server in a process of its own, for the length of a `with` block or until it idles."""

    def __init__(self, profile: str | None, seed: int) -> None:
        command = module_command("loadgen.simulator", "--port", "0", "--seed", str(seed))
        command += ["--exit-when-idle", str(IDLE_S), *(("--profile", profile) if profile else ())]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        # A POSIX session of its own: Ctrl-C is for the run, whose last requests the simulator has to answer.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        self.url = ""

    def __enter__(self) -> Simulator:
        try:
            self.url = self._listening()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        if self._process.poll() is None and self.url:
            self._process.terminate()

    def leave(self) -> None:
        """Lets it live on beyond the `with` block, until no request has come for a while."""
        self.url = ""

    def _listening(self) -> str:
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_S
        heard = b""
        while b"\n" not in heard or not re.search(rb"http://\S+", heard):
            left = deadline - time.monotonic()
            if left <= 0 or not readable(self._process.stdout.fileno(), left):
                raise CommandError(
                    f"demo: the simulated server did not start within {START_S:g} s; "
                    "ttftop simulate shows why"
                )
            data = os.read(self._process.stdout.fileno(), 4096)
            if not data:
                self._log.seek(0)
                last = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
                raise CommandError(
                    f"demo: the simulated server did not start: {''.join(last) or 'no word'}; "
                    "ttftop simulate shows why"
                )
            heard += data
        found = re.search(rb"http://\S+", heard)
        assert found is not None
        return found[0].decode()

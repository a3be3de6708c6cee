"""`ttftop doctor`: what this machine has for a run, and, with a URL, what that server can do."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loadgen.endpoint_names import ENDPOINT_NAMES
from loadgen.errors import printable
from loadgen.target.redaction import Redactor, secrets_of
from tui.commands.clock_sync import clock_state, clock_sync
from tui.commands.load_checks import check_planned, planned_load, planned_load_arguments
from tui.commands.machine_checks import Finding, gpus_at_rest, machine, round_trip_ms
from tui.foreground import screen, start
from tui.options import run_options, value_types
from tui.options.exit_codes import OK, CommandError, one_line
from tui.options.node_options import ray_arguments
from tui.options.parser import Parser
from tui.options.target_options import api_key, headers, readable, target

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.target.url import Target
    from telemetry.records import GpuDevice

PACKAGES = ("textual", "httpx", "nvidia-ml-py", "numpy", "plotext", "msgspec", "uvloop")
DESCRIPTORS = 4096
"""Enough for a run with the default cap on requests in flight."""


INPUT_TOKENS, OUTPUT_TOKENS = 64, 8
"""What is asked of a server to see what it can do."""


def parser() -> Parser:
    parser = Parser("ttftop doctor", "[URL] [options]", "Check this machine, and what a server can do.")
    parser.add_argument("target", nargs="?", metavar="URL", help="ask this server what it can do")
    run_options.sessions_dir(parser)
    parser.add_argument(
        "--model", type=value_types.model, metavar="M", help="when the server lists more than one"
    )
    parser.add_argument(
        "--endpoint", choices=ENDPOINT_NAMES, metavar="E", help=f"{', '.join(ENDPOINT_NAMES)} (what it has)"
    )
    planned_load_arguments(parser)
    run_options.telemetry_argument(parser)
    ray_arguments(parser)
    run_options.key_arguments(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    check_planned(options)
    asked = None if options.target is None else target(options)
    if asked is not None:
        api_key(options)  # what is wrong with it is said before anything else is
    for finding in findings(options):
        _say(finding)
    if asked is not None:
        print()
        where, probed, notes = ask(options)
        for line in server(where, probed, notes):
            print(printable(line))
        for finding in planned_load(options, probed):
            _say(finding)
    return OK


def findings(options: argparse.Namespace) -> Iterator[Finding]:
    """One after the other, as each is found: a driver that blocks keeps back none but its own."""
    yield versions()
    yield from terminal()
    yield sessions_place(options)
    yield descriptors()
    yield from ports()
    yield client()
    yield from machine()
    yield clock_sync(clock_state())
    if options.target is None:
        yield from planned_load(options, None)
    yield from telemetry(options)
    if options.ray is not None:
        from tui.commands.ray_nodes import ray_nodes

        yield from ray_nodes(options)


def _say(finding: Finding) -> None:
    print(f"{'ok  ' if finding.ok else '!   '}{finding.name:<12}{one_line(finding.text)}", flush=True)


def versions() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    missing = []
    for package in ("ttftop", *PACKAGES):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    text = f"{', '.join(found)}; Python {platform.python_version()}, {platform.system()} {platform.release()}"
    return Finding(not missing, "versions", text + (f"; missing: {', '.join(missing)}" if missing else ""))


def terminal() -> Iterator[Finding]:
    if not screen.is_terminal():
        yield Finding(True, "terminal", "none here: runs are headless")
        return
    size = shutil.get_terminal_size()
    fits = size.columns >= 80 and size.lines >= 24
    kind = f"TERM={os.environ.get('TERM', '')} COLORTERM={os.environ.get('COLORTERM', '')}"
    advice = "" if fits else "; the screen wants 80x24"
    yield Finding(fits, "terminal", f"{size.columns}x{size.lines}, {sys.stdout.encoding}, {kind}{advice}")


def sessions_place(options: argparse.Namespace) -> Finding:
    """Whether sessions can be written; makes nothing."""
    try:
        there = root = start.root(options)
    except CommandError as error:
        return Finding(False, "sessions", str(error))
    while not there.exists() and there != there.parent:
        there = there.parent
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return Finding(False, "sessions", f"{root}: cannot be written; give --sessions-dir DIR")
    free = shutil.disk_usage(there).free
    return Finding(free > 1 << 30, "sessions", f"{root}, {free / 2**30:.1f} GiB free")


def descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    most = soft if hard == unlimited else hard
    enough = hard == unlimited or hard >= DESCRIPTORS
    shown = "unlimited" if hard == unlimited else f"{hard:,}"
    text = f"{soft:,} open files, may be raised to {shown}; each request in flight needs one"
    return Finding(enough, "descriptors", text if enough else f"{text}: give --max-in-flight {most - 64}")


def ports() -> Iterator[Finding]:
    """Where the system says how many there are."""
    from sessions.run.client_limits import TIME_WAIT_S, port_count

    if (count := port_count()) is not None:
        each_s = f"{count / TIME_WAIT_S:,.0f} new connections a second where the server closes each"
        text = f"{count:,} for connections to one address: as many at once, or {each_s}"
        enough = count >= 2 * DESCRIPTORS
        wider = "; widen net.ipv4.ip_local_port_range"
        yield Finding(enough, "ports", text if enough else text + wider)


def client() -> Finding:
    """What this machine was calibrated for, and whether that still holds."""
    from sessions.calibration.result import changed, load, path, this_machine

    where = path()
    known = load(where)
    if known is None:
        return Finding(True, "client", "not calibrated: ttftop calibrate measures how much it can load")
    text = f"clean up to {known.events_per_s:,.0f} events/s a worker, measured {known.measured_at[:10]}"
    expired = changed(known.machine, this_machine())
    if expired:
        return Finding(False, "client", f"{text}; expired: {'; '.join(expired)}; run ttftop calibrate again")
    return Finding(True, "client", f"{text}, kept in {where}")


def telemetry(options: argparse.Namespace) -> Iterator[Finding]:
    """What `--telemetry` finds here and tries, as a run would, and the GPUs: NVML last, which may be slow."""
    from telemetry.discover import resolve
    from telemetry.records import GpuDevices, SourceNote
    from telemetry.source import TelemetryError

    key = None if options.target is None else api_key(options)
    secrets = [] if options.target is None else secrets_of(headers(options))
    try:
        sources = resolve(
            options.telemetry or ["auto"],
            options.target or "",
            key,
            model=options.model or "",
            redact=Redactor(key or "", *secrets).text,
            ca_file=readable(options.ca, "--ca"),
            insecure=options.insecure,
            patient=True,
        )
    except TelemetryError as error:
        raise CommandError(str(error)) from None
    for source in sorted(sources, key=lambda source: source.name == "nvml"):
        devices: dict[str, GpuDevice] = {}
        try:
            for record in source.open(time.monotonic_ns):
                if isinstance(record, SourceNote):
                    yield Finding(record.ok, "telemetry", record.message)
                elif isinstance(record, GpuDevices):
                    devices = {device.gpu: device for device in record.devices}
        finally:
            source.close()
        for device in devices.values():
            yield Finding(True, f"GPU {device.index}", _described(device))
        if source.name == "nvml" and devices:
            yield from gpus_at_rest()


def _described(device: GpuDevice) -> str:
    memory = device.memory_total_bytes
    words = [
        device.name or "no name",
        f"MIG {device.mig}" if device.mig and device.mig not in device.name else "",
        "" if memory is None else f"{memory / 2**30:.0f} GiB",
        f"on {device.host}" if device.host else "",
        "shares the machine's memory" if device.unified_memory else "",
        "hidden by CUDA_VISIBLE_DEVICES" if device.visible is False else "",
        "serves the target" if device.serves_target else "",
    ]
    return ", ".join(word for word in words if word)


CAPABILITIES = {
    "token_id_prompts": "takes prompts as token ids",
    "ignore_eos": "takes ignore_eos",
    "min_tokens": "takes min_tokens",
    "include_usage": "sends usage with a stream",
    "continuous_usage": "sends usage with every chunk",
    "return_token_ids": "sends token ids with chunks",
    "one_token_chunks": "one token a chunk when idle",
    "sends_done": "ends streams with [DONE]",
    "tokenize": "/tokenize",
    "context_tokens": "context, tokens",
    "vocabulary": "vocabulary, tokens",
}


def ask(options: argparse.Namespace) -> tuple[Target, ProbeResult, list[str]]:
    """The server, what probing it shows, and what was noted on the way.

    Raises:
        CommandError: it cannot be reached, or refuses.
    """
    import asyncio

    from loadgen.probe.probe import probe
    from loadgen.probe.result import ProbeError
    from loadgen.target.api_key import ApiKey
    from loadgen.target.url import parse_target

    where = parse_target(
        options.target,
        ca_file=options.ca and str(options.ca),
        insecure=options.insecure,
        cert_file=options.cert and str(options.cert),
        cert_key_file=options.cert_key and str(options.cert_key),
        proxy=options.proxy,
        path=options.path,
    )
    key = api_key(options)
    notes: list[str] = []
    try:
        probed = asyncio.run(
            probe(
                where,
                None if key is None else ApiKey(key, "this command"),
                model=options.model,
                endpoint=options.endpoint or "auto",
                input_tokens=INPUT_TOKENS,
                output_tokens=OUTPUT_TOKENS,
                seed=0,
                on_note=notes.append,
                lengths_given=False,
                thorough=True,
                more_headers=headers(options),
            )
        )
    except ProbeError as error:
        raise CommandError(str(error), error.exit_code) from None
    return where, probed, notes


def server(where: Target, probed: ProbeResult, notes: Sequence[str]) -> Iterator[str]:
    """What the probe showed, a line each."""
    can = probed.capabilities
    name = " ".join(word for word in (can.server, can.server_version) if word) or "an unnamed server"
    yield f"{where.url} is {name}{', SIMULATED' if can.simulated else ''}"
    if (trip_ms := round_trip_ms(where)) is not None:
        yield f"  round trip, ms               {trip_ms:.3g}"
    yield f"  model                        {probed.model}"
    yield f"  load goes to                 {probed.template.path}, prompts as {probed.prompt.form}"
    for field, words in CAPABILITIES.items():
        yield f"  {words:<28} {_shown(getattr(can, field))}"
    for note in notes:
        yield f"  note: {note}"
    yield f"  asked in {probed.requests} requests"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "not known" if value is None else str(value) or "no"

"""Before the load: what the server can do, and whether the words of `--telemetry` mean something."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sessions.plan.config import RunConfig
from sessions.run.launch import SupervisorAnswer

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.target.url import Target
    from loadgen.worker_config import Address


class Preflight(NamedTuple):
    probed: ProbeResult
    address: Address
    """Where the load's connections go: the server, or the proxy before it."""


def in_plain_text(target: Target, has_key: bool, secret_headers: Sequence[str]) -> str:
    """A sentence where secrets leave this machine unencrypted; empty where they do not."""
    if not (has_key or secret_headers) or target.address.tls or target.address.unix_path is not None:
        return ""
    if is_loopback(target.address.host):
        return ""
    what = "the API key goes" if has_key else f"the header {secret_headers[0]} goes"
    return f"{what} to {target.address.host} in plain text: the URL is http://, not https://"


def is_loopback(host: str) -> bool:
    """What is sent there does not leave this machine."""
    import ipaddress

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost")


class AskedLengths(NamedTuple):
    """How long prompts and answers are on average, and at the most."""

    input_tokens: int
    output_tokens: int
    longest: tuple[int, int]
    given: bool
    """A person asked for them."""


def asked_lengths(config: RunConfig) -> AskedLengths:
    """Of the run itself; stages of a plan may have their own."""
    from loadgen.workload.lengths import mean

    work, trace = config.workload, config.load.trace
    if trace is not None and (of := trace.figures) is not None:
        longest = (of.input_most, of.output_most)
        return AskedLengths(max(1, round(of.input_mean)), max(1, round(of.output_mean)), longest, True)
    longest = (work.input.most, work.output.most)
    into, out = (max(1, round(mean(lengths))) for lengths in (work.input, work.output))
    return AskedLengths(into, out, longest, work.lengths_given)


async def preflight(
    config: RunConfig,
    api_key: str | None,
    on_note: Callable[[str], None],
    headers: Sequence[tuple[str, str]] = (),
) -> Preflight | SupervisorAnswer:
    """Asks the server; the refusal if the run cannot be. `headers`: what a person added to every request."""
    # httpx brings a command line of its own, whose rich, click and pygments take longer to import than httpx
    # does, while the first request waits. Told that there is none, it goes without.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    from loadgen.probe.probe import probe
    from loadgen.probe.result import ProbeError
    from loadgen.target.api_key import ApiKey
    from loadgen.target.url import TargetError, parse_target
    from loadgen.workload.body_fields import BodyError, parse_body
    from sessions.run.worker_configs import deadlines_of
    from telemetry.source import TelemetryError
    from telemetry.source_spec import parse_sources

    target = config.target
    lengths = asked_lengths(config)
    try:
        where = parse_target(
            target.url,
            ca_file=target.ca_file,
            insecure=target.insecure,
            cert_file=target.cert_file,
            cert_key_file=target.cert_key_file,
            proxy=target.proxy,
            path=target.path,
        )
        parse_sources(config.telemetry)
        secret_headers = [header for header in target.headers if ":" not in header]
        if said := in_plain_text(where, api_key is not None, secret_headers):
            on_note(said)
        probed = await probe(
            where,
            None if api_key is None else ApiKey(api_key, "the run's orders"),
            model=target.model,
            endpoint=target.endpoint,
            input_tokens=lengths.input_tokens,
            output_tokens=lengths.output_tokens,
            longest_tokens=lengths.longest,
            seed=config.load.seed,
            on_note=on_note,
            lengths_given=lengths.given,
            more_headers=headers,
            body=parse_body(config.workload.body),
            deadlines=deadlines_of(config.timeouts),
        )
    except (TargetError, BodyError, TelemetryError) as error:
        return SupervisorAnswer("refused", str(error), 2)
    except ProbeError as error:
        return SupervisorAnswer("refused", str(error), error.exit_code)
    return Preflight(probed, msgspec.structs.replace(where.hop, at=probed.addresses))

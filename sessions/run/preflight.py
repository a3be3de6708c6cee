"""Before the load: what the server can do, and whether the words of `--telemetry` mean something."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sessions.plan.config import ConfigError, RunConfig
from sessions.run.asking import Asking, PromptFiles, ways_of
from sessions.run.launch import SupervisorAnswer

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.target.url import Target
    from loadgen.worker_config import Address


class Preflight(NamedTuple):
    probed: ProbeResult
    address: Address
    """Where the load's connections go: the server, or the proxy before it."""
    asking: Asking
    """Makes of what is asked what workers are told."""


def in_plain_text(target: Target, has_key: bool, secret_headers: Sequence[str]) -> str:
    """A sentence where secrets leave this machine unencrypted; empty where they do not."""
    if not (has_key or secret_headers) or target.address.tls or target.loopback:
        return ""
    what = "the API key goes" if has_key else f"the header {secret_headers[0]} goes"
    return f"{what} to {target.address.host} in plain text: the URL is http://, not https://"


class AskedLengths(NamedTuple):
    """How long prompts and answers are on average, and at the most."""

    input_tokens: int
    output_tokens: int
    longest: tuple[int, int]
    given: bool
    """A person asked for them."""


def asked_lengths(config: RunConfig) -> AskedLengths:
    """Of the run itself; stages of a plan may have their own."""
    work, trace = config.workload, config.load.trace
    if trace is not None and (of := trace.figures) is not None:
        longest = (of.input_most, of.output_most)
        return AskedLengths(max(1, round(of.input_mean)), max(1, round(of.output_mean)), longest, True)
    into, out = max(1, round(work.mean_input)), max(1, round(work.mean_output))
    return AskedLengths(into, out, work.longest, work.lengths_given)


async def preflight(
    config: RunConfig,
    api_key: str | None,
    on_note: Callable[[str], None],
    prompts: PromptFiles,
    headers: Sequence[tuple[str, str]] = (),
) -> Preflight | SupervisorAnswer:
    """Packs `prompts` and asks the server; the refusal if the run cannot be. `headers`: what a person added
    to every request."""
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
        await asyncio.to_thread(prompts.pack, config)
        ways = ways_of(config, prompts.packed)
        ask = partial(
            probe,
            where,
            None if api_key is None else ApiKey(api_key, "the run's orders"),
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
        probed = await ask(model=target.model, endpoint=target.endpoint)
        others = {}
        for way in ways:
            model = target.model if way.model is None else way.model
            same = way.endpoint in (None, probed.template.endpoint) and model in (
                None,
                target.model,
                probed.model,
            )
            endpoint = probed.template.endpoint if way.endpoint is None else way.endpoint
            others[way] = probed if same else await ask(model=model, endpoint=endpoint)
    except (ConfigError, TargetError, BodyError, TelemetryError) as error:
        return SupervisorAnswer("refused", str(error), 2)
    except ProbeError as error:
        return SupervisorAnswer("refused", str(error), error.exit_code)
    asking = Asking(config, probed, others, prompts.packed)
    extra = sum(each.requests for each in others.values() if each is not probed)
    probed = msgspec.structs.replace(probed, requests=probed.requests + extra)
    return Preflight(probed, msgspec.structs.replace(where.hop, at=probed.addresses), asking)

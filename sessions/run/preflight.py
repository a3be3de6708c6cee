"""Before the load: what the server can do, and whether the words of `--telemetry` mean something."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadgen.transport.source_addresses import family_of, why_not
from loadgen.worker_config import Address, LoadTarget
from sessions.plan.config import ConfigError, RunConfig
from sessions.run.asking import Asking, PromptFiles, ways_of
from sessions.run.launch import SupervisorAnswer
from sessions.run.probing import asker, found_at, found_beside

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.target.url import Target


class Preflight(NamedTuple):
    probed: ProbeResult
    address: Address
    """Where the load's connections go: the server, or the proxy before it."""
    asking: Asking
    """Makes of what is asked what workers are told."""
    targets: tuple[LoadTarget, ...] = ()
    """All where there are several, `address` is the first one's."""


def in_plain_text(target: Target, has_key: bool, secret_headers: Sequence[str]) -> str:
    """A sentence where secrets leave this machine unencrypted; empty where they do not."""
    if not (has_key or secret_headers) or target.address.tls or target.loopback:
        return ""
    what = "the API key goes" if has_key else f"the header {secret_headers[0]} goes"
    return f"{what} to {target.address.host} in plain text: the URL is http://, not https://"


async def preflight(
    config: RunConfig,
    api_key: str | None,
    on_note: Callable[[str], None],
    prompts: PromptFiles,
    headers: Sequence[tuple[str, str]] = (),
) -> Preflight | SupervisorAnswer:
    """Packs `prompts` and asks every server; the refusal if the run cannot be. `headers`: what a person added
    to every request."""
    # httpx brings a command line of its own, whose rich, click and pygments take longer to import than httpx
    # does, while the first request waits. Told that there is none, it goes without.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    from loadgen.probe.result import ProbeError
    from loadgen.target.url import TargetError, parse_target
    from loadgen.workload.body_fields import BodyError
    from telemetry.source import TelemetryError
    from telemetry.source_spec import parse_sources

    told = config.target
    try:
        targets = [
            parse_target(
                each.url,
                ca_file=told.ca_file,
                insecure=told.insecure,
                cert_file=told.cert_file,
                cert_key_file=told.cert_key_file,
                proxy=told.proxy,
                path=told.path,
                sources=told.sources or (),
            )
            for each in told.all
        ]
        check_sources(told.sources or ())
        check_away(config, [target.url for target in targets[1:] if target.loopback])
        parse_sources(config.telemetry)
        secret_headers = [header for header in told.headers if ":" not in header]
        for said in dict.fromkeys(
            in_plain_text(each, api_key is not None, secret_headers) for each in targets
        ):
            if said:
                on_note(said)
        await asyncio.to_thread(prompts.pack, config)
        ask = asker(config, api_key, on_note, headers)
        ways = ways_of(config, prompts.packed)
        found = [await found_at(ask, targets[0], told, ways)]
        if len(targets) > 1:
            found += await found_beside(ask, targets, found[0], told.all, on_note)
        for one, each in zip(told.all, found, strict=True):
            check_families(told.sources or (), one.url, each.probed.addresses)
    except (ConfigError, TargetError, BodyError, TelemetryError) as error:
        return SupervisorAnswer("refused", str(error), 2)
    except ProbeError as error:
        return SupervisorAnswer("refused", str(error), error.exit_code)
    first = found[0]
    asking = Asking(config, first.probed, first.others, prompts.packed)
    results = [result for each in found for result in {id(one): one for one in each.all}.values()]
    probed = msgspec.structs.replace(
        first.probed,
        requests=sum(result.requests for result in results),
        closes=any(each.probed.closes for each in found),
        warm_ups=tuple(warm for each in found for warm in each.probed.warm_ups),
    )
    addresses = [
        msgspec.structs.replace(target.hop, at=each.probed.addresses)
        for target, each in zip(targets, found, strict=True)
    ]
    if len(targets) == 1:
        return Preflight(probed, addresses[0], asking)
    return Preflight(
        probed,
        addresses[0],
        asking,
        tuple(
            LoadTarget(one.url, address, each.heads, one.weight)
            for one, address, each in zip(told.all, addresses, found, strict=True)
        ),
    )


def check_sources(sources: Sequence[str]) -> None:
    """Raises:
    ConfigError: connections cannot go from one of them.
    """
    for ip in sources:
        if why := why_not(ip):
            raise ConfigError(f"--source-address: got {ip}, need an address of this machine ({why})")


def check_families(sources: Sequence[str], url: str, ips: Sequence[str]) -> None:
    """`ips`: where connections to `url` go, all of one family; none for a Unix socket.

    Raises:
        ConfigError: none of `sources` is of that family.
    """
    if sources and ips and not any(family_of(source) == family_of(ips[0]) for source in sources):
        kind = "IPv6" if ":" in ips[0] else "IPv4"
        raise ConfigError(f"--source-address: got {sources[0]}, and {url} is at {ips[0]}: need one of {kind}")


def check_away(config: RunConfig, loopback: Sequence[str]) -> None:
    """`loopback`: targets beside the first one that mean the machine itself; nodes are asked of that one.

    Raises:
        ConfigError: there is one, and load comes from other machines.
    """
    nodes = config.nodes
    away = nodes is not None and (nodes.ray or any(word.startswith("ssh:") for word in nodes.words))
    if loopback and away:
        raise ConfigError(
            f"--target: {loopback[0]} is the node itself on a node, not this machine; need an address that "
            "the nodes reach"
        )

"""What the servers of a run say to the probe: the first one to what is asked, those beside it to the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from loadgen.endpoint_names import EndpointName
from loadgen.workload.template import TargetHead
from sessions.plan.config import RunConfig
from sessions.plan.target_config import OtherTarget, TargetConfig
from sessions.run.alike import difference
from sessions.run.asking import Way

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult
    from loadgen.target.url import Target


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


class Found(NamedTuple):
    """Of one server."""

    probed: ProbeResult
    others: dict[Way, ProbeResult]
    """In further ways."""

    @property
    def all(self) -> list[ProbeResult]:
        return [self.probed, *self.others.values()]

    @property
    def heads(self) -> dict[EndpointName, TargetHead]:
        """What requests to it say, by endpoint."""
        return {
            each.template.endpoint: TargetHead(each.template.path, each.template.headers)
            for each in reversed(self.all)
        }


Ask = Callable[..., Awaitable["ProbeResult"]]


def asker(
    config: RunConfig,
    api_key: str | None,
    on_note: Callable[[str], None],
    headers: Sequence[tuple[str, str]],
) -> Ask:
    from loadgen.probe.probe import probe
    from loadgen.target.api_key import ApiKey
    from loadgen.workload.body_fields import parse_body
    from sessions.run.worker_configs import deadlines_of

    lengths = asked_lengths(config)
    usual: dict[str, Any] = {
        "input_tokens": lengths.input_tokens,
        "output_tokens": lengths.output_tokens,
        "longest_tokens": lengths.longest,
        "seed": config.load.seed,
        "on_note": on_note,
        "lengths_given": lengths.given,
        "more_headers": headers,
        "body": parse_body(config.workload.body),
        "deadlines": deadlines_of(config.timeouts),
        "model": config.target.model,
    }
    key = None if api_key is None else ApiKey(api_key, "the run's orders")

    async def ask(where: Target, **more: Any) -> ProbeResult:
        return await probe(where, key, **{**usual, **more})

    return ask


async def found_at(ask: Ask, where: Target, target: TargetConfig, ways: Sequence[Way]) -> Found:
    """What the only server, or the first one, says.

    Raises:
        ProbeError: it cannot be loaded.
    """
    probed = await ask(where, endpoint=target.endpoint)
    others = {}
    for way in ways:
        model = target.model if way.model is None else way.model
        same = way.endpoint in (None, probed.template.endpoint) and model in (
            None,
            target.model,
            probed.model,
        )
        endpoint = probed.template.endpoint if way.endpoint is None else way.endpoint
        others[way] = probed if same else await ask(where, model=model, endpoint=endpoint)
    return Found(probed, others)


async def found_beside(
    ask: Ask,
    targets: Sequence[Target],
    first: Found,
    told: Sequence[OtherTarget],
    on_note: Callable[[str], None],
) -> list[Found]:
    """What the servers beside the first one say to the same questions, all asked at the same time.

    Raises:
        ProbeError: one cannot be loaded, or not as the first one is; the first such by number.
    """
    from loadgen.probe.result import ProbeError

    async def of(number: int) -> Found:
        found, url = {}, told[number].url
        for one in dict.fromkeys(map(id, first.all)):
            own = next(result for result in first.all if id(result) == one)
            of_fields = own.template.fields.get("model")
            name = of_fields if isinstance(of_fields, str) else None
            found[one] = result = await ask(
                targets[number],
                endpoint=own.template.endpoint,
                usual_model=name,
                input_tokens=own.prompt.tokens,
                output_tokens=own.output_tokens,
                lengths_given=True,
                on_note=lambda text: on_note(f"{url}: {text}"),
                **({} if own is first.probed else {"model": name}),
            )
            if said := difference(own, result, told[0].url):
                raise ProbeError(f"{url}: {said}", 2)
        return Found(
            found[id(first.probed)], {way: found[id(result)] for way, result in first.others.items()}
        )

    results = await asyncio.gather(*map(of, range(1, len(targets))), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, Found)]

"""What a server can do, asked once: a model, an endpoint, the fields it takes, prompts of exact length.

On a usual server three requests: `GET /v1/models`, then two full-size streams of a few tokens, which warm
it up as well. Only what a server refuses, and prompts that must be text, cost more. Nothing sent here
belongs to the load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from loadgen.endpoint_names import AskedEndpoint
from loadgen.endpoints import ENDPOINTS
from loadgen.probe.attempts import Attempt
from loadgen.probe.client import Client, client
from loadgen.probe.context import ProbeContext
from loadgen.probe.key_forms import key_forms
from loadgen.probe.models import KeyRefused, ask_models, choose, listed
from loadgen.probe.negotiation import negotiate
from loadgen.probe.prompt_length import verified, with_words
from loadgen.probe.result import Capabilities, ProbeError, ProbeResult
from loadgen.probe.stream import Streamed
from loadgen.probe.tokenize import find_tokenizer
from loadgen.target.api_key import ApiKey
from loadgen.target.request_headers import Header
from loadgen.target.url import Target
from loadgen.transport.addresses import Resolver, resolve
from loadgen.worker_config import Deadlines
from loadgen.workload.template import RequestTemplate

_DEADLINES = Deadlines()
_VERSION = re.compile(r"(?:vllm-)?([0-9]+\.[0-9][^-\s]*|b[0-9]+(?:-[0-9a-z]+)?)")


async def probe(
    target: Target,
    api_key: ApiKey | None,
    *,
    model: str | None,
    endpoint: AskedEndpoint,
    input_tokens: int,
    output_tokens: int,
    seed: int,
    on_note: Callable[[str], None],
    lengths_given: bool = True,
    longest_tokens: tuple[int, int] | None = None,
    thorough: bool = False,
    more_headers: Sequence[Header] = (),
    body: Mapping[str, object] | None = None,
    deadlines: Deadlines = _DEADLINES,
    resolver: Resolver = resolve,
    usual_model: str | None = None,
) -> ProbeResult:
    """Finds out how to ask `target` for `output_tokens` after prompts of `input_tokens`.

    Args:
        model: None for the only one the server lists.
        endpoint: `auto` takes the one that the URL ends in, else completions with token ids, else chat, else
            completions with text.
        seed: of the prompts; the load's own prompts of this seed are not used up.
        on_note: called with one line for each thing worth knowing: a field refused, a length not exact.
        lengths_given: the user asked for these lengths; when False they are cut to fit the context.
        longest_tokens: of prompts and answers, where their lengths vary about those above.
        thorough: also ask what the load does not need (`/tokenize`), for `doctor`.
        more_headers: what a person adds to every request.
        body: fields that a person adds to every body; None leaves one of ours out.
        deadlines: of the load, which the probe gives a server at least.
        resolver: looks the server's name up.
        usual_model: that of the servers beside it, taken where this one lists it among others.

    Raises:
        ProbeError: the server cannot be loaded so; says why and with which exit code.
    """
    if endpoint == "auto":
        endpoint = target.endpoint or "auto"
    if endpoint != "auto" and not ENDPOINTS[endpoint].bears_tokens:
        output_tokens = 0
    requests, refused = 0, None
    for key, headers in key_forms(endpoint, api_key, more_headers):
        async with client(target, key, headers, deadlines, resolver) as asked:
            asked.requests = requests
            try:
                return await _probed(
                    asked,
                    model=model,
                    endpoint=endpoint,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    seed=seed,
                    on_note=on_note,
                    lengths_given=lengths_given,
                    longest_tokens=longest_tokens,
                    thorough=thorough,
                    body=body or {},
                    usual_model=usual_model,
                )
            except KeyRefused as error:
                requests, refused = asked.requests, refused or error
    assert refused is not None
    raise refused


async def _probed(
    asked: Client,
    *,
    model: str | None,
    endpoint: AskedEndpoint,
    input_tokens: int,
    output_tokens: int,
    seed: int,
    on_note: Callable[[str], None],
    lengths_given: bool,
    longest_tokens: tuple[int, int] | None,
    thorough: bool,
    body: Mapping[str, object],
    usual_model: str | None,
) -> ProbeResult:
    """`probe`, of a server that is asked by `asked`.

    Raises:
        ProbeError: as `probe`.
    """
    target = asked.target
    models = await ask_models(asked, model, on_note, endpoint)
    if note := asked.addresses.note(target.hop.host):
        on_note(note)
    name = choose(asked, models, model, usual_model)
    if models.names and name not in models.names:
        on_note(f"the server does not list model {asked.safe(name, 80)}; it lists {listed(asked, models)}")
    asking = ProbeContext(asked, models, name, input_tokens, output_tokens, seed, on_note, body)
    _fit(asking, lengths_given)
    _warn_of_longest(asking, longest_tokens)
    attempt, spec = await negotiate(asking, endpoint)
    first = asking.streams[-1]
    if ENDPOINTS[attempt.endpoint].bears_tokens and "ignore_eos" not in attempt.wished:
        on_note(
            f"{attempt.endpoint} has no word for going on past the end of an answer: answers may be shorter "
            f"than {asking.output_tokens} tokens"
        )
    if first.line_events:
        on_note("its events have no blank line between them: each line of data is read as one")
    dialect, tokenizer = None, None
    if attempt.form == "text" or thorough:
        dialect, tokenizer = await find_tokenizer(asked, name)
    if attempt.form == "text":
        spec = await with_words(asking, attempt, spec, tokenizer)
    counted = _count_one_way(attempt, first)
    spec, exact = await verified(asking, counted, spec)
    return ProbeResult(
        model=asked.hidden(name),
        template=RequestTemplate(
            path=target.request_target(asked.path_of(ENDPOINTS[attempt.endpoint])),
            headers=asked.headers(attempt.accept),
            endpoint=attempt.endpoint,
            fields=asking.fields(counted, asking.output_tokens),
            max_tokens_field=attempt.max_tokens_field,
            length_fields=tuple({"min_tokens"} & counted.fields(name, 1).keys() - asking.body.keys()),
            line_events=first.line_events,
            index_counts=first.index_counts,
        ),
        prompt=spec,
        output_tokens=asking.output_tokens,
        capabilities=_capabilities(asking, attempt, endpoint, dialect),
        warm_ups=tuple(stream.warm_up for stream in asking.streams),
        requests=asked.requests,
        input_exact=exact,
        chunk_counts=first.continuous or first.token_ids,
        addresses=() if target.address.unix_path else asked.addresses.ips,
        closes="close" in asking.streams[-1].headers.get("connection", "").lower(),
        left_out=tuple(asked.addresses.dead),
    )


def _fit(asking: ProbeContext, lengths_given: bool) -> None:
    """Raises a ProbeError when the lengths exceed the context; cuts them when nobody asked for them."""
    context = asking.context_tokens
    if context is None or asking.input_tokens + asking.output_tokens <= context:
        return
    if lengths_given:
        raise ProbeError(asking.too_long(), 2)
    asking.input_tokens = min(asking.input_tokens, max(1, context * 3 // 4))
    asking.output_tokens = min(asking.output_tokens, max(1, context - asking.input_tokens))
    asking.on_note(
        f"the model's context is {context} tokens: input cut to {asking.input_tokens} tokens, "
        f"output to {asking.output_tokens}"
    )


def _warn_of_longest(asking: ProbeContext, longest_tokens: tuple[int, int] | None) -> None:
    context = asking.context_tokens
    if context is not None and longest_tokens is not None and sum(longest_tokens) > context:
        asking.on_note(
            f"up to {longest_tokens[0]} tokens in and {longest_tokens[1]} out are drawn, the model's context "
            f"is {context}: requests that do not fit will fail (a length is clipped by @LOW..HIGH)"
        )


def _count_one_way(attempt: Attempt, seen: Streamed) -> Attempt:
    """The same attempt, asking only for the token counts that came; continuous usage is the cheaper one.

    vLLM repeats all ids of the prompt in the first chunk when token ids are asked for: not something to
    have in a time to first token.
    """
    unasked = set()
    if not seen.continuous:
        unasked.add("continuous_usage_stats")
    if seen.continuous or not seen.token_ids:
        unasked.add("return_token_ids")
    return replace(attempt, dropped=attempt.dropped | unasked)


def _capabilities(asking: ProbeContext, taken: Attempt, endpoint: str, dialect: str | None) -> Capabilities:
    first, last = asking.streams[0], asking.streams[-1]
    ones = [stream.one_token_chunks for stream in asking.streams if stream.one_token_chunks is not None]
    models, version = asking.models, _VERSION.match(last.fingerprint or first.fingerprint)
    ids_asked = endpoint == "auto" or ENDPOINTS[taken.endpoint].takes_ids
    return Capabilities(
        token_id_prompts=taken.form == "ids" if ids_asked else None,
        ignore_eos=taken.asks("ignore_eos") if "ignore_eos" in taken.wished else None,
        min_tokens=taken.asks("min_tokens") if "min_tokens" in taken.wished else None,
        include_usage=first.usage is not None,
        continuous_usage=first.continuous,
        return_token_ids=first.token_ids,
        tokenize=dialect,
        context_tokens=asking.context_tokens,
        vocabulary=models.of(models.vocabulary, asking.model),
        sends_done=last.done,
        one_token_chunks=any(ones) if ones else None,
        server=asking.client.safe(models.server or last.headers.get("server", ""), 60),
        server_version=asking.client.safe(version[1], 60) if version else "",
        simulated=models.simulated or "x-ttftop-simulated" in last.headers,
    )

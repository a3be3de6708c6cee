"""Finds the first way of asking that a server takes."""

from __future__ import annotations

from loadgen.endpoint_names import AskedEndpoint
from loadgen.probe.attempts import Attempt, NoContext, NoModel, first_attempts, next_attempt
from loadgen.probe.client import Refused
from loadgen.probe.context import ProbeContext
from loadgen.probe.models import listed, refuse_strangers
from loadgen.probe.one_token_words import CANDIDATES
from loadgen.probe.result import ProbeError
from loadgen.workload.spec import PromptSpec

_FIRST_WORDS = 48

Refusals = list[tuple[Attempt, Refused]]


async def negotiate(asking: ProbeContext, endpoint: AskedEndpoint) -> tuple[Attempt, PromptSpec]:
    """The attempt that was answered with a stream (the last of `asking.streams`), and its prompts.

    Prompts of words are short ones. What had to be given up is said by a note.

    Raises:
        ProbeError: none was taken.
    """
    refusals: Refusals = []
    for way in first_attempts(endpoint, asking.models.of(asking.models.vocabulary, asking.model)):
        attempt: Attempt | None = way
        while attempt is not None:
            spec = _first_spec(attempt, asking.input_tokens)
            try:
                await asking.stream(attempt, spec)
            except Refused as refusal:
                refusals.append((attempt, refusal))
                attempt = _next(asking, attempt, refusal)
                continue
            _tell(asking, attempt, refusals)
            return attempt, spec
    raise _nothing_taken(asking, refusals)


def _first_spec(attempt: Attempt, tokens: int) -> PromptSpec:
    if attempt.form == "ids":
        return attempt.ids(tokens)
    # Most likely one token each, and a small chat template: counted later. A small vocabulary may make
    # thrice as many tokens of them, so the first prompt is short, or it might not fit into the context.
    return PromptSpec("text", min(tokens, _FIRST_WORDS), words=list(CANDIDATES[:40]), overhead_tokens=8)


def _next(asking: ProbeContext, attempt: Attempt, refusal: Refused) -> Attempt | None:
    client = asking.client
    refuse_strangers(client, refusal.status, refusal.text, refusal.headers)
    said = client.safe(refusal.text, 160)
    try:
        return next_attempt(attempt, refusal.status, refusal.text, asking.model)
    except NoContext:
        raise ProbeError(f"{asking.too_long()} ({said})", 2) from None
    except NoModel:
        served = f"it serves {listed(client, asking.models)}" if asking.models.names else "see --model"
        raise client.failure(f"no model {client.safe(asking.model, 80)}: {served} ({said})") from None


def _tell(asking: ProbeContext, taken: Attempt, refusals: Refusals) -> None:
    if not refusals:
        return
    first, _ = refusals[0]
    safe = asking.client.safe
    if (taken.endpoint, taken.form) != (first.endpoint, first.form):
        last = next(refusal for attempt, refusal in reversed(refusals) if attempt.endpoint == first.endpoint)
        instead = "chat" if taken.endpoint == "chat" else "completions with text"
        before = "completions with token ids" if first.form == "ids" else "chat"
        asking.on_note(f"{instead} instead of {before} (HTTP {last.status}: {safe(last.text, 100)})")
    if taken.dropped:
        asking.on_note(f"the server refuses {', '.join(sorted(taken.dropped))}: left out")
    if taken.max_tokens_field != first.max_tokens_field:
        asking.on_note(f"the server wants {taken.max_tokens_field} instead of {first.max_tokens_field}")
    if taken.form == "ids" and taken.vocabulary_top != first.vocabulary_top:
        asking.on_note(
            f"token ids stay below {taken.vocabulary_top}: the server refuses {first.vocabulary_top}"
        )


def _nothing_taken(asking: ProbeContext, refusals: Refusals) -> ProbeError:
    client = asking.client
    last = {f"/v1/{'chat/' if tried.endpoint == 'chat' else ''}completions": why for tried, why in refusals}
    if any(refusal.html for refusal in last.values()):
        return client.failure("not an OpenAI-compatible server: it answers with a web page")
    if all(refusal.status in (404, 405, 501) for refusal in last.values()):
        status = next(iter(last.values())).status
        return client.failure(f"not an OpenAI-compatible server: {' and '.join(last)} answer HTTP {status}")
    said = "; ".join(
        f"{path} {'reports' if refusal.status == 200 else f'answers HTTP {refusal.status}'}: "
        f"{client.safe(refusal.text, 120)}"
        for path, refusal in last.items()
    )
    return client.failure(f"the server refuses what it is asked: {said}")

"""Finds the first way of asking that a server takes."""

from __future__ import annotations

from loadgen.endpoint_names import AskedEndpoint
from loadgen.endpoints import ENDPOINTS
from loadgen.probe.attempts import Attempt, NoContext, NoModel, first_attempts, next_attempt
from loadgen.probe.client import Refused
from loadgen.probe.context import ProbeContext
from loadgen.probe.models import NO_SUCH_PATH, listed, refuse_strangers, status_words
from loadgen.probe.one_token_words import CANDIDATES
from loadgen.probe.result import ProbeError
from loadgen.workload.spec import PromptSpec

_FIRST_WORDS = 48

Refusals = list[tuple[Attempt, str, Refused]]
"""What was asked, by which path, and what came of it."""


async def negotiate(asking: ProbeContext, endpoint: AskedEndpoint) -> tuple[Attempt, PromptSpec]:
    """The attempt that was answered with a stream (the last of `asking.streams`), and its prompts.

    Prompts of words are short ones. What had to be given up is said by a note.

    Raises:
        ProbeError: none was taken.
    """
    refusals: Refusals = []
    unknown: dict[str, Refused] = {}
    tried: set[str] = set()
    guarded: dict[str, Refused] = {}
    for root in asking.client.roots:
        asking.client.root = root
        if endpoint != "auto":
            # Not every path lies below the API's version.
            path = asking.client.path_of(ENDPOINTS[endpoint])
            if path in tried:
                continue
            tried.add(path)
        for way in first_attempts(endpoint, asking.models.of(asking.models.vocabulary, asking.model)):
            attempt: Attempt | None = None if way.endpoint in {**unknown, **guarded} else way
            while attempt is not None:
                spec = _first_spec(attempt, asking.input_tokens)
                try:
                    await asking.stream(attempt, spec)
                except Refused as refusal:
                    refusals.append((attempt, asking.client.path_of(ENDPOINTS[attempt.endpoint]), refusal))
                    if refusal.status in (401, 403):
                        # The key may be good for the other endpoint; some gateways answer unknown paths so.
                        guarded[way.endpoint], attempt = refusal, None
                        continue
                    try:
                        attempt = _next(asking, attempt, refusal)
                    except NoModel:
                        # It may be unknown to this endpoint only: a chat model, say.
                        unknown[way.endpoint], attempt = refusal, None
                    continue
                _tell(asking, attempt, refusals)
                return attempt, spec
        if unknown or not all(_no_such_path(refusal) for _, _, refusal in refusals):
            break
    for closed in guarded.values():
        _refuse_stranger(asking, closed)
    if unknown and asking.model not in asking.models.names:
        raise _no_model(asking, next(iter(unknown.values())))
    raise _nothing_taken(asking, refusals, endpoint)


def _no_such_path(refusal: Refused) -> bool:
    return refusal.no_stream or refusal.status in NO_SUCH_PATH


def _first_spec(attempt: Attempt, tokens: int) -> PromptSpec:
    if attempt.form == "ids":
        return attempt.ids(tokens)
    # Most likely one token each, and a small chat template: counted later. A small vocabulary may make
    # thrice as many tokens of them, so the first prompt is short, or it might not fit into the context.
    return PromptSpec("text", min(tokens, _FIRST_WORDS), words=list(CANDIDATES[:40]), overhead_tokens=8)


def _next(asking: ProbeContext, attempt: Attempt, refusal: Refused) -> Attempt | None:
    client = asking.client
    _refuse_stranger(asking, refusal)
    if refusal.no_stream:
        return None
    if refusal.status == 413:
        raise ProbeError(asking.too_large(), 2)
    said = client.safe(refusal.text, 160)
    try:
        upcoming = next_attempt(attempt, refusal.status, refusal.text, asking.model)
    except NoContext:
        raise ProbeError(f"{asking.too_long()} ({said})", 2) from None
    if upcoming is not None and upcoming.least_tokens > asking.output_tokens:
        raise ProbeError(
            f"{client.target.url}: --output-tokens {asking.output_tokens}: the server takes no fewer than "
            f"{upcoming.least_tokens} ({said})",
            2,
        )
    return upcoming


def _refuse_stranger(asking: ProbeContext, refusal: Refused) -> None:
    refuse_strangers(asking.client, refusal.status, refusal.text, refusal.headers)


def _no_model(asking: ProbeContext, refusal: Refused) -> ProbeError:
    client = asking.client
    served = f"it serves {listed(client, asking.models)}" if asking.models.names else "see --model"
    said = client.safe(refusal.text, 160)
    return client.failure(f"no model {client.safe(asking.model, 80)}: {served} ({said})")


def _tell(asking: ProbeContext, taken: Attempt, refusals: Refusals) -> None:
    if not refusals:
        return
    first, path, _ = refusals[0]
    safe = asking.client.safe
    found = asking.client.path_of(ENDPOINTS[taken.endpoint])
    if not found.startswith(path.removesuffix(ENDPOINTS[first.endpoint].path.removeprefix("/v1"))):
        asking.on_note(f"the API is at {found}: {path} is not there")
    elif (taken.endpoint, taken.form) != (first.endpoint, first.form):
        last = next(refusal for tried, _, refusal in reversed(refusals) if tried.endpoint == first.endpoint)
        instead = taken.endpoint if taken.endpoint == "chat" else f"{taken.endpoint} with text"
        before = f"{first.endpoint} with token ids" if first.form == "ids" else first.endpoint
        asking.on_note(f"{instead} instead of {before} (HTTP {last.status}: {safe(last.text, 100)})")
    if taken.dropped:
        asking.on_note(f"the server refuses {', '.join(sorted(taken.dropped))}: left out")
    if taken.accept != first.accept:
        asking.on_note(f"the server wants to hear Accept: {taken.accept}")
    if taken.max_tokens_field != first.max_tokens_field:
        asking.on_note(f"the server wants {taken.max_tokens_field} instead of {first.max_tokens_field}")
    if taken.form == "ids" and taken.vocabulary_top != first.vocabulary_top:
        asking.on_note(
            f"token ids stay below {taken.vocabulary_top}: the server refuses {first.vocabulary_top}"
        )


def _nothing_taken(asking: ProbeContext, refusals: Refusals, endpoint: AskedEndpoint) -> ProbeError:
    client = asking.client
    last = {path: refusal for _, path, refusal in refusals}
    usual = endpoint in ("auto", "completions", "chat")
    stranger = "not an OpenAI-compatible server" if usual else f"it does not speak {endpoint}"
    if all(refusal.html and refusal.no_stream for refusal in last.values()):
        return client.failure(f"{stranger}: it answers with a web page")
    if all(refusal.no_stream for refusal in last.values()):
        kinds = " and ".join(dict.fromkeys(refusal.text for refusal in last.values()))
        need = "; need a server that streams" if usual else ""
        return client.failure(f"the answer is {kinds}{need}")
    if all(refusal.status in NO_SUCH_PATH for refusal in last.values()):
        status, paths = next(iter(last.values())).status, list(last)
        listed_paths = " and ".join([", ".join(paths[:-1]), paths[-1]] if len(paths) > 1 else paths)
        answer = "answer" if len(paths) > 1 else "answers"
        tail = "; if it speaks another protocol, name that with --endpoint" if endpoint == "auto" else ""
        if not usual:
            tail = f" ({client.safe(last[paths[-1]].text, 120)})" if last[paths[-1]].text else ""
        return client.failure(f"{stranger}: {listed_paths} {answer} HTTP {status}{tail}")
    said = "; ".join(
        f"{path} {'reports' if refusal.status == 200 else f'answers {status_words(refusal.status)}'}: "
        f"{client.safe(refusal.text, 120)}"
        for path, refusal in last.items()
    )
    return client.failure(f"the server refuses what it is asked: {said}")

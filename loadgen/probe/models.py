"""Which model to ask for, from `GET /v1/models`."""

from __future__ import annotations

from typing import Any

import msgspec

from loadgen.probe.client import Answer, Client, words
from loadgen.probe.result import ProbeError

_LISTED = 12


class Models(msgspec.Struct, frozen=True):
    """What the server serves."""

    names: tuple[str, ...]
    context_tokens: dict[str, int]
    vocabulary: dict[str, int]
    server: str
    """Who owns the models, else the `Server` header; not yet made safe."""
    simulated: bool

    def of(self, values: dict[str, int], model: str) -> int | None:
        """The value for `model`. One that is not listed shares it with the only one that is: an adapter of
        it, or a name the server does not look at."""
        return values.get(model) or (values.get(self.names[0]) if len(self.names) == 1 else None)


async def ask_models(client: Client, named: str | None) -> Models:
    """Asks for the list. A server that has none is let pass when the user named a model.

    Raises:
        ProbeError: no answer, a key is wanted, or there is no list and no model was named.
    """
    answer = await client.ask("GET", "/v1/models")
    refuse_strangers(client, answer.status, words(answer), answer.headers)
    listed = answer.json() if answer.status == 200 else None
    rows = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(rows, list):
        if named is not None:
            return Models(
                (), {}, {}, answer.headers.get("server", ""), "x-ttftop-simulated" in answer.headers
            )
        raise client.failure(_no_list(client, answer))
    entries = {row["id"]: row for row in rows if isinstance(row, dict) and _name(row.get("id"))}
    owner = next((row["owned_by"] for row in entries.values() if isinstance(row.get("owned_by"), str)), "")
    context: dict[str, int] = {}
    vocabulary: dict[str, int] = {}
    for name, row in entries.items():
        found = row.get("meta")
        meta = found if isinstance(found, dict) else {}
        lengths: tuple[Any, ...] = (row.get("max_model_len"), meta.get("n_ctx"), row.get("context_length"))
        for tokens in lengths:
            if _count(tokens):
                context.setdefault(name, int(tokens))
        if _count(meta.get("n_vocab")):
            vocabulary[name] = meta["n_vocab"]
    return Models(
        names=tuple(entries),
        context_tokens=context,
        vocabulary=vocabulary,
        server=owner or answer.headers.get("server", ""),
        simulated="x-ttftop-simulated" in answer.headers,
    )


def choose(client: Client, models: Models, named: str | None) -> str:
    """The model to ask for.

    Raises:
        ProbeError: none is named, and the server lists none or several.
    """
    if named is not None:
        return named
    if len(models.names) == 1:
        return models.names[0]
    if not models.names:
        raise client.failure("the server lists no model; name one with --model")
    raise ProbeError(
        f"{client.target.url}: it serves several models, choose one with --model: {listed(client, models)}", 2
    )


def listed(client: Client, models: Models) -> str:
    """The names of the models for a message."""
    shown = [client.safe(name, 80) for name in models.names[:_LISTED]]
    more = len(models.names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def refuse_strangers(client: Client, status: int, text: str, headers: dict[str, str]) -> None:
    """Raises a ProbeError for an answer that no other request would change: a key, a redirect, no room."""
    said = client.safe(text, 160)
    tail = f" ({said})" if said else ""
    if status == 401:
        advice = "the key is not accepted" if client.has_key else "set TTFTOP_API_KEY or give --api-key-file"
        raise client.failure(f"401 Unauthorized: {advice}{tail}")
    if status == 403:
        advice = (
            "the key is not allowed here" if client.has_key else "set TTFTOP_API_KEY or give --api-key-file"
        )
        raise client.failure(f"403 Forbidden: {advice}{tail}")
    if 300 <= status < 400:
        place = client.safe(headers.get("location", "?").partition("?")[0], 120)
        raise client.failure(
            f"it redirects to {place} (HTTP {status}); redirects are not followed, use that URL"
        )
    if status in (429, 503):
        raise client.failure(f"the server takes no requests now (HTTP {status}){tail}")


def _no_list(client: Client, answer: Answer) -> str:
    if answer.html:
        return "not an OpenAI-compatible server: /v1/models answers with a web page"
    if answer.status == 200:
        return "not an OpenAI-compatible server: /v1/models answers with something else than a list of models"
    said = client.safe(words(answer), 120)
    return (
        f"/v1/models answers HTTP {answer.status}{f' ({said})' if said else ''}; "
        "is it an OpenAI-compatible server? If so, name the model with --model"
    )


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 500


def _count(value: Any) -> bool:
    return type(value) is int and 0 < value < 1_000_000_000

"""Which model to ask for, from `GET /v1/models`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from loadgen.endpoint_names import AskedEndpoint
from loadgen.probe.answer import Answer, words
from loadgen.probe.client import Client, NoAnswer
from loadgen.probe.result import ProbeError

NO_SUCH_PATH = (404, 405, 501)
_LISTED = 12
_OWN_LISTS: dict[AskedEndpoint, str] = {"tgi": "/info", "ollama": "/api/tags", "ollama-chat": "/api/tags"}
"""Where older servers, without OpenAI's list, say what they serve."""
_NAME_LETTERS = 500
_CONTEXT_KEYS = ("context_length", "context_window", "max_context_length")


class Models(msgspec.Struct, frozen=True):
    """What the server serves."""

    names: tuple[str, ...]
    nameless: bool
    """Whether a row of the list has no name that can be asked for."""
    context_tokens: dict[str, int]
    vocabulary: dict[str, int]
    server: str
    """Who owns the models, else the `Server` header; not yet made safe."""
    simulated: bool

    def of(self, values: dict[str, int], model: str) -> int | None:
        """The value for `model`. One that is not listed shares it with the only one that is: an adapter of
        it, or a name the server does not look at."""
        return values.get(model) or (values.get(self.names[0]) if len(self.names) == 1 else None)


class KeyRefused(ProbeError):
    """The server does not know the key, or not in the header in which it came (HTTP 401)."""


async def ask_models(
    client: Client, named: str | None, on_note: Callable[[str], None], endpoint: AskedEndpoint = "auto"
) -> Models:
    """Asks for the list. Who named a model needs none: that there is none to be had is then said by a note.
    A server of `endpoint` may have a list of its own, which is asked for where there is no other.

    Raises:
        ProbeError: the server cannot be reached, or there is no list and no model was named.
    """
    try:
        answer, rows = await _first_list(client)
        if rows is None and endpoint in _OWN_LISTS and answer.status in NO_SUCH_PATH:
            own = await client.ask("GET", f"{client.base}{_OWN_LISTS[endpoint]}")
            rows = _rows(own.json()) if 200 <= own.status < 300 else None
    except NoAnswer as error:
        if named is None:
            raise
        on_note(f"no list of models: {str(error).removeprefix(f'{client.target.url}: ')}")
        return Models((), False, {}, {}, "", False)
    if rows is None:
        if named is None:
            hint = "; if it is only the list that it refuses, name the model with --model"
            refuse_strangers(client, answer.status, words(answer), answer.headers, hint)
            raise client.failure(_no_list(client, answer))
        if answer.status in (401, 403, 429, 503) or 300 <= answer.status < 400:
            said = client.safe(words(answer), 100)
            on_note(f"no list of models (HTTP {answer.status}{f': {said}' if said else ''})")
        rows = []
    names = [_name_in(row) for row in rows]
    entries = {
        name: row if isinstance(row, dict) else {} for name, row in zip(names, rows, strict=True) if name
    }
    owner = next((row["owned_by"] for row in entries.values() if isinstance(row.get("owned_by"), str)), "")
    context: dict[str, int] = {}
    vocabulary: dict[str, int] = {}
    for name, row in entries.items():
        found = row.get("meta")
        meta = found if isinstance(found, dict) else {}
        lengths: list[Any] = [row.get("max_model_len"), meta.get("n_ctx"), *map(row.get, _CONTEXT_KEYS)]
        for tokens in lengths:
            if _count(tokens):
                context.setdefault(name, int(tokens))
        if _count(meta.get("n_vocab")):
            vocabulary[name] = meta["n_vocab"]
    return Models(
        names=tuple(entries),
        nameless=None in names,
        context_tokens=context,
        vocabulary=vocabulary,
        server=owner or answer.headers.get("server", ""),
        simulated="x-ttftop-simulated" in answer.headers,
    )


async def _first_list(client: Client) -> tuple[Answer, list[Any] | None]:
    """The rows of the list, from the first place that has one, which is then where the API begins; else the
    first place's answer, and None."""
    first: Answer | None = None
    for root in client.target.roots:
        client.root = root
        answer = await client.ask("GET", f"{root}/models")
        if answer.status == 406:
            answer = await client.ask("GET", f"{root}/models", accept="*/*")
        successful = 200 <= answer.status < 300
        if successful and (rows := _rows(answer.json())) is not None:
            client.roots = (root,)
            return answer, rows
        first = first or answer
        if not successful and answer.status not in NO_SUCH_PATH:
            break
    client.root = client.roots[0]
    assert first is not None
    return first, None


def choose(client: Client, models: Models, named: str | None, usual: str | None = None) -> str:
    """The model to ask for. `usual`: that of another server, taken where it is among several.

    Raises:
        ProbeError: none is named, and the server lists none or several.
    """
    if named is not None:
        return named
    if usual is not None and usual in models.names:
        return usual
    if len(models.names) == 1:
        return models.names[0]
    if not models.names:
        why = f" whose name is text of 1 to {_NAME_LETTERS} letters" if models.nameless else ""
        raise client.failure(f"the server lists no model{why}; name one with --model")
    raise ProbeError(
        f"{client.target.url}: it serves several models, choose one with --model: {listed(client, models)}", 2
    )


def listed(client: Client, models: Models) -> str:
    """The names of the models for a message."""
    shown = [client.safe(name, 80) for name in models.names[:_LISTED]]
    more = len(models.names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def status_words(status: int) -> str:
    """`HTTP 502 (a gateway ...)`: a status, and what it means where people ask themselves."""
    if status in (502, 504):
        return f"HTTP {status} (a proxy answers, the server behind it does not; is it up yet?)"
    return f"HTTP {status}"


def refuse_strangers(client: Client, status: int, text: str, headers: dict[str, str], hint: str = "") -> None:
    """Raises a ProbeError for an answer that no other request would change: a key, a redirect, no room.
    `hint`: what else would help, but for a key or another server."""
    said = client.safe(text, 160)
    tail = f" ({said})" if said else ""
    if status == 401:
        advice = "the key is not accepted" if client.has_key else "set TTFTOP_API_KEY or give --api-key-file"
        raise client.failure(f"401 Unauthorized: {advice}{tail}", KeyRefused)
    if status == 403:
        advice = (
            "the key is not allowed here" if client.has_key else "set TTFTOP_API_KEY or give --api-key-file"
        )
        raise client.failure(f"403 Forbidden: {advice}{tail}{hint}")
    if 300 <= status < 400:
        place = client.safe(headers.get("location", "?").partition("?")[0], 120)
        origin = re.match(r"[a-z]+://[^/]+", client.target.url)
        here = place.removeprefix(origin[0]) if origin else place
        advice = "use that URL"
        if re.match(r"/(?!/).*completions/?\Z", here):
            advice = f"give --path {here}"
        elif re.match(r"/(?!/).*models/?\Z", here) and hint:
            advice = hint.removeprefix("; ")
        raise client.failure(f"it redirects to {place} (HTTP {status}); redirects are not followed, {advice}")
    if status in (429, 503):
        raise client.failure(f"the server takes no requests now (HTTP {status}){tail}{hint}")


def _no_list(client: Client, answer: Answer) -> str:
    if 200 <= answer.status < 300:
        what = "a web page" if answer.html else "something else than a list of models"
        tail = "" if answer.html else "; if it is one, name the model with --model"
        return f"not an OpenAI-compatible server: {client.root}/models answers with {what}{tail}"
    said = client.safe(words(answer), 120)
    asked = f"{client.root}/models answers {status_words(answer.status)}{f' ({said})' if said else ''}"
    if answer.status in (502, 504):
        return asked
    return f"{asked}; is it an OpenAI-compatible server? If so, name the model with --model"


def _rows(decoded: Any) -> list[Any] | None:
    """The list itself, or what an object holds as `data` (OpenAI) or `models`, or the one model that it tells
    of (TGI's `/info`); None when it is none of these."""
    if isinstance(decoded, dict) and isinstance(decoded.get("model_id"), str):
        return [{"id": decoded["model_id"], "max_model_len": decoded.get("max_total_tokens")}]
    if isinstance(decoded, dict):
        decoded = next(
            (decoded[key] for key in ("data", "models") if isinstance(decoded.get(key), list)), None
        )
    return decoded if isinstance(decoded, list) else None


def _name_in(row: Any) -> str | None:
    """A model's name in a row of the list, which may be that name itself."""
    named = [row.get(key) for key in ("id", "name", "model")] if isinstance(row, dict) else [row]
    return next((name for name in named if isinstance(name, str) and 0 < len(name) <= _NAME_LETTERS), None)


def _count(value: Any) -> bool:
    return type(value) is int and 0 < value < 1_000_000_000

"""The `/tokenize` of three servers, which have nothing in common but the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from loadgen.probe.client import Client
from loadgen.probe.one_token_words import Count


class Dialect(msgspec.Struct, frozen=True):
    """How to ask for a text's tokens, and how the answer says how many they are."""

    body: Callable[[str, str], dict[str, object]]
    """The request's body, from the model and the text."""
    read: Callable[[Any], int | None]


def _count(answer: Any) -> int | None:
    found = answer.get("count") if isinstance(answer, dict) else None
    return found if type(found) is int and found > 0 else None


def _tokens(answer: Any) -> int | None:
    found = answer.get("tokens") if isinstance(answer, dict) else None
    # llama.cpp answers a body it does not understand with an empty list.
    return len(found) if isinstance(found, list) and found else None


def _list(answer: Any) -> int | None:
    return len(answer) if isinstance(answer, list) and answer else None


DIALECTS: dict[str, Dialect] = {
    "vllm": Dialect(lambda model, text: {"model": model, "prompt": text}, _count),
    "llamacpp": Dialect(lambda model, text: {"content": text}, _tokens),
    "tgi": Dialect(lambda model, text: {"inputs": text}, _list),
}
"""SGLang and ttftop's simulator speak vLLM's."""


async def find_tokenizer(client: Client, model: str) -> tuple[str, Count | None]:
    """The dialect the server speaks and a counter of tokens; empty and None when it speaks none.

    The counter leaves out what a chat template or the server would add.

    Raises:
        ProbeError: the server is gone.
    """
    for name, dialect in DIALECTS.items():
        answer = await client.ask(
            "POST", f"{client.base}/tokenize", msgspec.json.encode(dialect.body(model, "the of and"))
        )
        if answer.status in (404, 405):
            break
        if answer.status == 200 and dialect.read(answer.json()) is not None:
            return name, _counter(client, model, dialect)
    return "", None


def _counter(client: Client, model: str, dialect: Dialect) -> Count:
    async def count(text: str) -> int | None:
        answer = await client.ask(
            "POST", f"{client.base}/tokenize", msgspec.json.encode(dialect.body(model, text))
        )
        return dialect.read(answer.json()) if answer.status == 200 else None

    return count

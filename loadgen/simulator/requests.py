"""Request bodies: their wire shape, and what the engine needs of them. Bad ones raise `Refused`."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from loadgen.decoding import ready
from loadgen.simulator.batch import TooLong
from loadgen.simulator.engine import FinishReason
from loadgen.simulator.profile import Profile
from loadgen.simulator.tokens import Vocabulary

_STOP: FinishReason = "stop"
_LENGTH: FinishReason = "length"

DEFAULT_COMPLETION_TOKENS = 16
"""What /v1/completions generates when nobody says how much (OpenAI's default, vLLM's too)."""


class Refused(Exception):
    """An HTTP error with an OpenAI error object; `type` is vLLM's name for it."""

    def __init__(self, status: int, type_: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.type, self.message, self.param = status, type_, message, param


def bad_request(message: str, param: str | None = None) -> Refused:
    return Refused(400, "BadRequestError", message, param)


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False
    """Usage on every chunk; as in vLLM it counts only beside `include_usage`."""


class SamplingFields(msgspec.Struct, kw_only=True):
    """What both endpoints share. Fields that do not change lengths or shapes are ignored."""

    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    return_token_ids: bool | None = None
    seed: int | None = None
    n: int | None = 1
    best_of: int | None = None
    echo: bool | None = False
    logprobs: int | bool | None = None


class CompletionBody(SamplingFields, kw_only=True):
    prompt: str | list[str | int | list[int]]


class TextPart(msgspec.Struct):
    type: str
    text: str | None = None


class Message(msgspec.Struct):
    role: str
    content: str | list[TextPart] | None = None


class ChatBody(SamplingFields, kw_only=True):
    messages: list[Message]


class TokenizeBody(msgspec.Struct, kw_only=True):
    model: str | None = None
    prompt: str | None = None
    messages: list[Message] | None = None


Body = TypeVar("Body", bound=msgspec.Struct)


def decode(raw: bytes, shape: type[Body]) -> Body:
    """Raises:
    Refused: not JSON, or a field has the wrong type; the message names it.
    """
    try:
        return msgspec.json.decode(raw, type=ready(shape))
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_request(f"JSON decode error: {error}") from None


def check_model(model: str | None, profile: Profile) -> None:
    if model is not None and model != profile.model:
        raise Refused(404, "NotFoundError", f"The model `{model}` does not exist.", "model")


def prompt_ids(prompt: str | list[str | int | list[int]], vocabulary: Vocabulary) -> list[int]:
    """One prompt's token ids, from text, ids, or a list with one of either."""
    if isinstance(prompt, list) and len(prompt) == 1 and not isinstance(prompt[0], int):
        return prompt_ids(prompt[0], vocabulary)  # type: ignore[arg-type]  # list is invariant
    if isinstance(prompt, str):
        ids = vocabulary.encode(prompt)
    elif all(type(token) is int for token in prompt):
        ids = prompt  # type: ignore[assignment]  # just checked
        if ids and not 0 <= min(ids) <= max(ids) < vocabulary.size:
            wrong = next(token for token in ids if not 0 <= token < vocabulary.size)
            raise bad_request(f"Token id {wrong} is out of vocabulary ({vocabulary.size} tokens).", "prompt")
    else:
        raise bad_request("This simulator takes one prompt a request.", "prompt")
    if not ids:
        raise bad_request("The prompt cannot be empty.", "prompt")
    return ids


def chat_ids(messages: list[Message], vocabulary: Vocabulary) -> list[int]:
    if not messages:
        raise bad_request("messages: need at least one message.", "messages")
    return vocabulary.chat(_text_of(message) for message in messages)


def _text_of(message: Message) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    for part in message.content:
        if part.type != "text" or part.text is None:
            raise bad_request(f"messages: got a part of type `{part.type}`, this simulator reads text only.")
    return " ".join(part.text for part in message.content if part.text is not None)


@dataclass(frozen=True)
class Work:
    """What is asked of the engine."""

    prompt: list[int]
    output: list[int]
    """The token ids that will come."""
    finish_reason: FinishReason


def work_for(
    body: CompletionBody | ChatBody,
    prompt: list[int],
    profile: Profile,
    vocabulary: Vocabulary,
    rng: random.Random,
) -> Work:
    """Settles lengths. `rng` decides where no `seed` is given.

    Raises:
        Refused: a field is out of range or asks for what the simulator does not do.
    """
    _check_fields(body)
    asked = body.max_completion_tokens if body.max_completion_tokens is not None else body.max_tokens
    if asked is None:
        asked = (
            max(1, profile.limits.context_tokens - len(prompt))
            if isinstance(body, ChatBody)
            else DEFAULT_COMPLETION_TOKENS
        )
    if asked < 1:
        raise bad_request(f"max_tokens must be at least 1, got {asked}.", "max_tokens")
    if not 0 <= body.min_tokens <= asked:
        raise bad_request(
            f"min_tokens must be between 0 and max_tokens={asked}, got {body.min_tokens}.", "min_tokens"
        )
    try:
        profile.limits.check(len(prompt), asked)
    except TooLong as error:
        raise bad_request(str(error), "max_tokens") from None
    seed = rng.getrandbits(48) if body.seed is None else body.seed
    length, reason = asked, _LENGTH
    if not body.ignore_eos:
        ends_after = max(body.min_tokens, _geometric(random.Random(seed), profile.mean_output_tokens))
        if ends_after < asked:
            length, reason = ends_after, _STOP
    return Work(prompt, vocabulary.output(seed, length), reason)


def _geometric(rng: random.Random, mean: int) -> int:
    """At least 1, geometric with `mean`."""
    if mean <= 1:
        return 1
    return 1 + int(math.log(1.0 - rng.random()) / math.log(1.0 - 1.0 / mean))


def _check_fields(body: CompletionBody | ChatBody) -> None:
    if body.n not in (None, 1):
        raise bad_request(f"n: got {body.n}, this simulator makes 1 choice a request.", "n")
    if body.best_of not in (None, 1):
        raise bad_request(f"best_of: got {body.best_of}, this simulator makes 1 choice a request.", "best_of")
    if body.echo:
        raise bad_request("echo: this simulator does not repeat the prompt.", "echo")
    if body.logprobs not in (None, False):
        raise bad_request("logprobs: this simulator has none.", "logprobs")
    if body.stream_options is not None and not body.stream:
        raise bad_request("Stream options can only be defined when `stream=True`.", "stream_options")

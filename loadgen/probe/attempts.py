"""What to ask next when a server refuses a request: fields dropped one by one, other prompts, other paths.

Pure values: an attempt and a refusal give the next attempt. Servers differ in what they refuse (fields
they do not know, token ids, one of the two endpoints) and say so in words of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from loadgen.endpoint_names import AskedEndpoint, EndpointName
from loadgen.endpoints import ENDPOINTS
from loadgen.target.url import ACCEPTS
from loadgen.workload.spec import PromptSpec

WISHED = ("ignore_eos", "min_tokens", "return_token_ids", "continuous_usage_stats", "stream_options")
"""Fields that are wished for and not needed; refused ones are dropped."""

VOCABULARY_TOPS = (20_000, 4_000, 1_000)
"""Where ids end. Every vocabulary from 32,000 up has the first; special tokens lie outside."""

_CONTEXT = re.compile(
    r"context.{0,3}(length|size|window)|exceed_context|max_model_len|n_ctx|(prompt|input) is too long"
    r"|maximum (allowed )?(prompt|input|number of tokens)|must have less than \d+ tokens"
    r"|(total|input|prompt).{0,40}must be (less|lower|smaller|fewer) than"
)
_VOCABULARY = re.compile(r"vocab|invalid token|token id|token_id\b|input_ids? .{0,40}(range|larg)")
_OUTPUT_LENGTH = re.compile(r"max_?(output_|completion_|new_)?_?tokens|(output|completion) (tokens|length)")
_AT_LEAST = re.compile(
    r"(?:>=|\u2265|at least|(?:greater|more|larger|higher) than or equal to|(?:less|lower|smaller|fewer) than"
    r"|minimum(?: value)?(?: of| is)?|between|in (?:the )?range)[^\d,;.]{0,12}(\d{1,6})\b"
)
_MORE_THAN = re.compile(r"(?:>|(?:greater|more|larger|higher) than)[^\d,;.]{0,6}(\d{1,6})\b")
_TOO_FEW = re.compile(r"below (the )?minimum|too (small|low|short|few)|less than (the )?minimum")
_COMMON_LEAST = 16
"""Asked for where a server says only that it were too few: OpenAI's own."""
_NO_MODEL = re.compile(
    r"not found|not exist|not available|not served|not loaded|unknown|no such|invalid model|pinned"
)

Form = Literal["ids", "text"]


@dataclass(frozen=True)
class Attempt:
    """One way to ask."""

    endpoint: EndpointName
    form: Form
    dropped: frozenset[str] = frozenset()
    max_tokens_field: str = "max_tokens"
    vocabulary_top: int = VOCABULARY_TOPS[0]
    accept: str = ACCEPTS[0]
    least_tokens: int = 1
    """The server was seen to refuse fewer output tokens."""
    wished: tuple[str, ...] = WISHED
    """Fields of those that its protocol knows."""

    def fields(self, model: str, output_tokens: int) -> dict[str, object]:
        """The body's fields, less prompt and length."""
        fields: dict[str, object] = {"model": model, "stream": True}
        if self.asks("stream_options"):
            options = {"include_usage": True}
            if self.asks("continuous_usage_stats"):
                options["continuous_usage_stats"] = True
            fields["stream_options"] = options
        if self.asks("ignore_eos"):
            fields["ignore_eos"] = True
        if self.asks("min_tokens"):
            fields["min_tokens"] = output_tokens
        if self.asks("return_token_ids"):
            fields["return_token_ids"] = True
        if self.asks("store"):
            fields["store"] = False
        return fields

    def asks(self, field: str) -> bool:
        """Its protocol knows the field, and the server has not refused it."""
        return field in self.wished and field not in self.dropped

    def ids(self, tokens: int) -> PromptSpec:
        """A prompt of token ids below `vocabulary_top`, away from the special tokens at the low end."""
        top = self.vocabulary_top
        return PromptSpec("ids", tokens, vocab_low=min(1000, top // 4), vocab_high=top)


class NoContext(Exception):
    """The refusal says that prompt and output do not fit into the model's context."""


class NoModel(Exception):
    """The refusal says that the model is not served."""


def first_attempts(endpoint: AskedEndpoint, vocabulary: int | None) -> Iterator[Attempt]:
    """First attempts, best first: token ids need no calibration and are exact.

    By itself nothing is tried but completions and chat: nearly all servers of the other protocols speak one
    of these, and a server that answers anything could be taken for what it is not.
    """
    top = min(VOCABULARY_TOPS[0], vocabulary) if vocabulary else VOCABULARY_TOPS[0]
    if endpoint != "auto" and endpoint != "completions" and endpoint != "chat":
        asked = ENDPOINTS[endpoint]
        if asked.takes_ids:
            yield Attempt(endpoint, "ids", vocabulary_top=top, wished=asked.wished)
        yield Attempt(endpoint, "text", wished=asked.wished)
        return
    if endpoint != "chat":
        yield Attempt("completions", "ids", vocabulary_top=top)
    if endpoint != "completions":
        yield Attempt("chat", "text")
    if endpoint != "chat":
        yield Attempt("completions", "text")


def next_attempt(attempt: Attempt, status: int, text: str, model: str) -> Attempt | None:
    """What to try after a refusal; None when this endpoint and form have no more to offer.

    `text` is what the server said, `model` the one asked for.

    Raises:
        NoContext, NoModel: no other attempt can help.
    """
    said = text.lower()
    if status == 406:
        later = ACCEPTS[ACCEPTS.index(attempt.accept) + 1 :]
        return replace(attempt, accept=later[0]) if later else None
    if status in (404, 405, 501):
        if "model" in said or (model and model.lower() in said):
            raise NoModel
        return None
    if _CONTEXT.search(said):
        raise NoContext
    if (least := _least_tokens(said)) > attempt.least_tokens:
        return replace(attempt, least_tokens=least)
    if attempt.max_tokens_field == "max_tokens" and "max_completion_tokens" in said:
        return replace(attempt, max_tokens_field="max_completion_tokens")
    named = frozenset(field for field in attempt.wished if attempt.asks(field) and _names(said, field))
    if attempt.asks("stream_options") and _names(said, "include_usage"):
        named |= {"stream_options"}
    if named:
        return _without(attempt, named)
    if attempt.form == "ids" and _VOCABULARY.search(said):
        lower = [top for top in VOCABULARY_TOPS if top < attempt.vocabulary_top]
        return replace(attempt, vocabulary_top=lower[0]) if lower else None
    if attempt.form == "ids" and "prompt" in said and ("str" in said or "type" in said):
        return None
    if ("model" in said or "pinned" in said) and _NO_MODEL.search(said):
        raise NoModel
    rest = frozenset(attempt.wished) - attempt.dropped
    for some in (rest - {"stream_options"}, rest):
        if some:
            return _without(attempt, some)
    return None


def _least_tokens(said: str) -> int:
    """The fewest output tokens that a refusal asks for; 0 when it is of something else."""
    if not _OUTPUT_LENGTH.search(said):
        return 0
    if found := _AT_LEAST.search(said):
        return int(found[1])
    if found := _MORE_THAN.search(said):
        return int(found[1]) + 1
    return _COMMON_LEAST if _TOO_FEW.search(said) else 0


def _names(said: str, field: str) -> bool:
    return re.search(rf"(?<![a-z_]){field}(?![a-z_])", said) is not None


def _without(attempt: Attempt, fields: frozenset[str]) -> Attempt:
    if "stream_options" in fields:
        fields |= {"continuous_usage_stats"}
    return replace(attempt, dropped=attempt.dropped | fields)

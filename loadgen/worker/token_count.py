"""How many output tokens a request had, and how many of them were shown. In plain rules:

1. **A chunk bears tokens if it shows something of them**: text, reasoning, a refusal, a tool call, token
   ids. One without is no token, whatever its usage says: no role chunk, no `choices: []`, no finish chunk.
2. **How many a chunk bears** is known where it has token ids, or a count so far (continuous usage): then it
   bears by how much that is more than all that was counted before. What grew in a chunk without text, half a
   character say, belongs to the next chunk with text. A count of 0 is none.
3. **What comes behind a finish reason or `[DONE]`** bears nothing (`TokenTimes`), neither does an error.
4. **`output_tokens`** is what the server counted, by the last usage; else the sum over the chunks where each
   told its own; else the number of chunks, an estimate.
5. **`hidden_tokens`** are those of `output_tokens` that no chunk bore. First and last token are times of
   shown ones, so a mean time per token divides by shown ones only:
   - each chunk told its own: what is left of `output_tokens`. A first chunk of far more tokens than all
     others may have followed reasoning that nobody saw: nobody says;
   - there were tokens that are not of ours (other choices, rule 3), and more were counted than chunks came:
     nobody says;
   - the server told how many were reasoning, and streamed no reasoning: those, unless fewer would be left
     than there were chunks: then the reasoning stood in the text;
   - else none, as long as what was shown can bear what was counted (`_bears`); it may be several a chunk.
   Where that is not so, some were hidden and nobody says how many: None.
"""

from __future__ import annotations

from typing import Any

from loadgen.endpoints import Usage
from loadgen.endpoints.token_event import CountedTokenEvent
from loadgen.records import Request

BYTES_A_TOKEN = 2
"""A text with fewer bytes a token is no whole text. Prose has four and more in any language, code three."""
TOKENS_A_CHUNK = 2
"""The most that chunks are taken to bear, in the mean, where a server was seen to send one token in each."""
FIRST_CHUNK = 8
"""So many tokens a first chunk may bear, though others bear fewer."""


_NOT_OURS = frozenset({"extra_choices", "token_after_finish", "token_after_done"})
"""Flags of answers with tokens that are not of ours, and that the server's count may include."""


def note_usage(record: Request, usage: Usage) -> None:
    """Keeps the last of each count. One of no tokens stands where a server has not counted yet."""
    if usage.prompt_tokens:
        record.input_tokens = usage.prompt_tokens
    if usage.cached_tokens is not None:
        record.cached_tokens = usage.cached_tokens
    if usage.completion_tokens:
        record.output_tokens = usage.completion_tokens


def note_usages(record: Request, events: list[CountedTokenEvent[Any]]) -> bool:
    """The same for token events, without an object for each; True where they say that none is reasoning."""
    no_reasoning = False
    for event in events:
        usage = event.usage
        if usage is not None:
            if usage.prompt_tokens:
                record.input_tokens = usage.prompt_tokens
            if usage.completion_tokens:
                record.output_tokens = usage.completion_tokens
            details = usage.prompt_tokens_details
            if details is not None and details.cached_tokens is not None:
                record.cached_tokens = details.cached_tokens
            if usage.reasoning_tokens is not None:
                no_reasoning = True
    return no_reasoning


def count_tokens(record: Request, reasoning_tokens: int, text_bytes: int | None) -> None:
    """Decides it, and notes who said so.

    Args:
        record: `output_tokens` is the server's count, None where it gave none; `chunk_tokens` holds the
            number of each chunk that told it.
        reasoning_tokens: counted by the server and not streamed as reasoning; 0 where it does not say.
        text_bytes: of all that was shown; None where nobody measured it.
    """
    if "extra_choices" in record.flags or len(record.chunk_tokens) != record.chunks:
        record.chunk_tokens = []
    told = sum(record.chunk_tokens) if record.chunk_tokens else 0
    if record.output_tokens is not None:
        record.token_source = "usage"
        record.hidden_tokens = _hidden(record, record.output_tokens, reasoning_tokens, text_bytes)
    elif told:
        record.token_source, record.output_tokens = "chunk_counts", told
    else:
        record.token_source = "chunks"
        record.output_tokens = record.chunks or None
    if record.chunk_tokens and all(count == 1 for count in record.chunk_tokens):
        record.chunk_tokens = []
    if told > (record.output_tokens or 0) and "usage_mismatch" not in record.flags:
        record.flags.append("usage_mismatch")
    if record.first_answer_token_ns == record.first_token_ns:
        record.first_answer_token_ns = None


def knows_itl(record: Request) -> bool:
    """How many tokens each chunk bore is known, of a record whose tokens were counted; of no chunks, too."""
    if record.chunk_tokens or not record.chunks:
        return True
    hidden = record.hidden_tokens
    return (
        record.token_source != "chunks"
        and record.output_tokens is not None
        and hidden is not None
        and record.output_tokens - hidden == record.chunks
    )


def _hidden(record: Request, output: int, reasoning: int, text_bytes: int | None) -> int | None:
    chunks, each = record.chunks, record.chunk_tokens
    if not chunks:
        return output
    if each:
        if 0 < reasoning < each[0]:
            # Reasoned before the first text, whose chunk had the count of both.
            each[0] -= reasoning
        elif each[0] > FIRST_CHUNK and each[0] > 2 * max(each[1:], default=0):
            return None
        left = output - sum(each)
        return left if left >= 0 else None
    if output > chunks and not _NOT_OURS.isdisjoint(record.flags):
        return None
    if reasoning and output - reasoning >= chunks:
        return reasoning if _bears(chunks, text_bytes, output - reasoning) else None
    return 0 if _bears(chunks, text_bytes, output) else None


def _bears(chunks: int, text_bytes: int | None, tokens: int) -> bool:
    """Whether so many chunks, with so much text, can have borne these tokens.

    One more than there are chunks is an end token, which usage counts and nobody shows.
    """
    if tokens <= chunks + 1:
        return True
    if text_bytes is None:
        return tokens <= TOKENS_A_CHUNK * chunks
    return text_bytes >= BYTES_A_TOKEN * tokens

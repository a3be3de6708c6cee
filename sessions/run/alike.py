"""Whether servers under one load can be asked alike, from what the probe of each found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadgen.probe.result import ProbeResult


def difference(first: ProbeResult, other: ProbeResult, first_url: str) -> str:
    """What sets a server apart from the first so that one load cannot be the same to both, in words that go
    behind its URL; empty where nothing does."""
    model, others = (str(found.template.fields.get("model", "")) for found in (first, other))
    if model != others:
        return (
            f"it serves model {other.model}, {first_url} serves {first.model}: "
            "all targets must serve the same; --model names it"
        )
    one, two = first.template, other.template
    if one.endpoint != two.endpoint:
        return f"it takes {two.endpoint}, {first_url} takes {one.endpoint}: all targets must take the same"
    if _counting(first) != _counting(other):
        return f"it tells the tokens of a chunk otherwise than {first_url}: all targets must answer alike"
    tail = f"as {first_url} does: all targets must take the same requests"
    if missing := sorted(one.fields.keys() - two.fields.keys()):
        return f"it does not take the field {missing[0]} {tail}"
    if more := sorted(two.fields.keys() - one.fields.keys()):
        return f"it takes the field {more[0]}, which {first_url} does not: all targets must take the same"
    if first.prompt.form != other.prompt.form:
        return f"it does not take prompts as {_FORMS[first.prompt.form]} {tail}"
    if one.max_tokens_field != two.max_tokens_field or one.length_fields != two.length_fields:
        return f"it does not take the length of an answer {tail}"
    if (one.line_events, one.index_counts) != (two.line_events, two.index_counts):
        return f"it does not write its events {tail}"
    return ""


def _counting(found: ProbeResult) -> tuple[bool, bool]:
    """Whether each chunk says how many tokens it bears, and whether by their ids."""
    return found.chunk_counts, found.chunk_counts and "return_token_ids" in found.template.fields


_FORMS = {"ids": "token ids", "text": "text"}

"""Random prompts of an exact number of tokens, without a tokenizer.

Token ids, where the server takes them; else words that were each seen to add exactly one token. The
same seed and index give the same prompt in every process and on every Python. No two prompts near each
other begin alike: a server's prefix cache would otherwise make time to first token meaningless.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache

from loadgen.workload.draws import drawn_bytes
from loadgen.workload.spec import PromptSpec

_GOLDEN = (math.sqrt(5) - 1) / 2


def prompt(spec: PromptSpec, seed: int, index: int, tokens: int | None = None) -> list[int] | str:
    """Prompt number `index`: token ids or a text of as many `tokens` (`spec.tokens`) as the server counts.

    The first token (or word) differs between any `vocab_high - vocab_low` (or `len(words)`) successive
    indices; the rest is random.

    Raises:
        ValueError: the spec has no ids, or no words, to draw from.
    """
    count = max(1, (spec.tokens if tokens is None else tokens) - spec.overhead_tokens)
    if spec.form == "ids":
        low, span = spec.vocab_low, spec.vocab_high - spec.vocab_low
    else:
        low, span = 0, len(spec.words)
    if span < 1:
        raise ValueError(f"prompt spec: nothing to draw from in form {spec.form!r}")
    offset, step = _first(seed, span)
    # The low bits of 32 modulo span favour some ids by less than span / 2**32: of no consequence here.
    draws = struct.unpack(f"<{count}I", drawn_bytes(f"{seed}:{index}", 4 * count))
    first = (offset + index * step) % span
    if spec.form == "ids":
        ids = [low + draw % span for draw in draws]
        ids[0] = low + first
        return ids
    words = spec.words
    chosen = [words[draw % span] for draw in draws]
    chosen[0] = words[first]
    return " ".join(chosen)


@lru_cache(maxsize=64)
def _first(seed: int, span: int) -> tuple[int, int]:
    """Where the walk over first tokens starts, and its step: coprime to `span`, so it visits all."""
    step = max(1, int(span * _GOLDEN))
    while math.gcd(step, span) != 1:
        step += 1
    return int.from_bytes(drawn_bytes(f"{seed}:first", 8), "little") % span, step

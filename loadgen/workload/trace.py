"""What the requests of a trace ask for: its lengths, and prompts that share what they shared.

A hash id stands for the same block of tokens, or words, wherever it occurs: prompts that begin with the same
ids begin alike, and a server's prefix cache has the chances that it had there. All else is random.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from loadgen.indices import INDEX_STRIDE
from loadgen.records import Request
from loadgen.trace.compiled import open_trace
from loadgen.trace.rows import BLOCK_TOKENS
from loadgen.workload.spec import RequestSpec, TraceWorkload
from loadgen.workload.synthetic_prompt import prompt

_BLOCKS = 1024
"""That are kept made: those of prompts that begin alike come again soon, and each is some 20 KB."""
_SEEDS = 7_919
"""Between the seeds of two loads of a run: the prompts of one are not in the cache for the next."""


class TraceRequests:
    """A `Workload`: row `n` of the trace for index `n`, counted from a multiple of `INDEX_STRIDE`."""

    needs_text = False

    def __init__(self, told: TraceWorkload, seed: int) -> None:
        self._trace = open_trace(told.path)
        self._prompt, self._seed = told.prompt, seed
        # What the server adds stands before the first block: it is taken off the last one.
        self._overhead = told.prompt.overhead_tokens
        bare = self._bare = msgspec.structs.replace(told.prompt, overhead_tokens=0)
        self._block = lru_cache(maxsize=_BLOCKS)(lambda *of: prompt(bare, *of))

    def spec(self, index: int) -> RequestSpec:
        number, place = divmod(index, INDEX_STRIDE)
        row = self._trace.row(place % len(self._trace))
        tokens, seed = row.input_tokens, self._seed + _SEEDS * number
        if row.hash_ids:
            asked = self._shared(row.hash_ids, max(1, tokens - self._overhead), seed, index)
        else:
            asked = prompt(self._prompt, self._seed, index, tokens)
        return RequestSpec(asked, tokens, row.output_tokens, row.conversation, row.turn, row.tags)

    def _shared(self, hash_ids: tuple[int, ...], tokens: int, seed: int, index: int) -> list[int] | str:
        parts: list[Any] = []
        for hash_id in hash_ids:
            parts.append(self._block(seed, hash_id, min(tokens, BLOCK_TOKENS)))
            tokens -= BLOCK_TOKENS
            if tokens <= 0:
                break
        if tokens > 0:
            parts.append(prompt(self._bare, seed + 1, index, tokens))
        if self._prompt.form == "ids":
            return list(chain.from_iterable(parts))
        return " ".join(parts)

    def answered(self, request: Request, text: str) -> None:
        """Nothing depends on an answer."""

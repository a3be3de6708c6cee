"""Prompts that begin alike: a prefix for each group, made once and kept as the JSON that goes out.

The prefix of a group is as random as a prompt of its length; two of them differ from their first token on.
"""

from __future__ import annotations

import msgspec

from loadgen.workload.permutation import permuted
from loadgen.workload.prefixes import Prefixes
from loadgen.workload.spec import PromptSpec
from loadgen.workload.synthetic_prompt import prompt

KEPT_BYTES = 32 << 20
"""Of prefixes as JSON; of more, the oldest is made again when its turn comes."""
_encode = msgspec.json.Encoder().encode


class SharedPrefixes:
    """Which group a request is of, and how its prompt begins."""

    def __init__(self, told: Prefixes, form: PromptSpec, seed: int, prompt_seed: int) -> None:
        """`seed`: of the order; `prompt_seed`: of what the prefixes are."""
        self._told, self._seed, self._prompt_seed = told, seed, prompt_seed
        # The server adds its own tokens once a prompt: they are taken off the part behind the prefix.
        self._form = msgspec.structs.replace(form, overhead_tokens=0)
        self._kept: dict[int, bytes] = {}
        self._kept_bytes = 0

    def place(self, index: int) -> int:
        """Of request number `index`, from 0 to all members of all groups: each once a round."""
        size = self._told.groups * self._told.members
        turn, place = divmod(index, size)
        return permuted(place, size, f"{self._seed}:members:{turn}")

    def group(self, place: int) -> int:
        return place // self._told.members

    def joined(self, group: int, own: list[int] | str) -> msgspec.Raw:
        """The JSON of a whole prompt: the prefix of `group`, then its `own` part."""
        between = b"," if self._form.form == "ids" else b" "
        return msgspec.Raw(self._beginning(group) + between + _encode(own)[1:])

    def _beginning(self, group: int) -> bytes:
        """Of the JSON: the bracket or quote that opens it, and the prefix."""
        if (kept := self._kept.get(group)) is not None:
            return kept
        # Another length is another prefix; an odd number keeps clear of the prompts of the same seed.
        seed = self._prompt_seed * 2_000_003 + self._told.tokens * 2 + 1
        made = _encode(prompt(self._form, seed, group, self._told.tokens))[:-1]
        while self._kept and self._kept_bytes + len(made) > KEPT_BYTES:
            self._kept_bytes -= len(self._kept.pop(next(iter(self._kept))))
        self._kept[group] = made
        self._kept_bytes += len(made)
        return made

"""What requests ask for, as a person asked it: lengths, prefixes, files, mixes, conversations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from loadgen.workload.lengths import Lengths, mean, parse_lengths
from loadgen.workload.prefixes import Prefixes, parse_prefixes
from sessions.plan.mix import MixPart
from sessions.plan.stages import Stage


class WorkloadConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    input_tokens: int | str = 256
    """A number of tokens, or a distribution of them as `loadgen.workload.lengths` reads it."""
    output_tokens: int | str = 64
    body: list[str] = msgspec.field(default_factory=list)
    """Fields added to every request's body, each `key=json`."""
    turns: int | str | None = None
    """Of conversations that carry their history, a number or a distribution; None: requests stand alone."""
    think: str | None = None
    """Time between an answer and the next turn (`sessions.plan.think_time`); None: none."""
    system_tokens: int = 0
    """Of a system prompt that all conversations share."""
    conversation_header: str | None = None
    """Name of a header that tells which conversation a request belongs to."""
    prefix: str = ""
    """`GROUPSxMEMBERSxTOKENS`: so many tokens stand before `input_tokens`, the same for all of a group;
    empty: no two prompts begin alike."""
    cache: Literal["", "keep", "defeat"] = ""
    """`keep`: prompts are those of every run, and those of a member of a group come again. Else none does
    but where it has to: with `defeat` not even what a file repeats."""

    prompts: str = ""
    """A file of prompts, by its absolute path; empty: random ones."""
    prompt_order: Literal["", "sequential", "shuffled"] = ""
    """Of that file; empty: as it has them."""
    mix: list[MixPart] = msgspec.field(default_factory=list)
    """Kinds of requests beside each other; empty: one kind."""

    def parts(self) -> list[tuple[MixPart, WorkloadConfig]]:
        """Each kind of request with what all of it comes to; of one kind alone, that, without a name."""
        if not self.mix:
            return [(MixPart(name=""), self)]
        return [(part, self._of(part)) for part in self.mix]

    def _of(self, part: MixPart) -> WorkloadConfig:
        keys = ("input_tokens", "output_tokens", "prefix", "prompts")
        own = {key: value for key in keys if (value := getattr(part, key)) is not None}
        return msgspec.structs.replace(self, mix=[], body=[*self.body, *part.body], **own)

    def mean_of(self, measure: Callable[[WorkloadConfig], float]) -> float:
        """Of all kinds of requests, by their weights."""
        parts = self.parts()
        return sum(part.weight * measure(own) for part, own in parts) / sum(part.weight for part, _ in parts)

    @property
    def mean_input(self) -> float:
        """Of a prompt, with its prefix; of a file's, what is asked for beside it."""
        return self.mean_of(lambda own: own.prefix_tokens + mean(own.input))

    @property
    def mean_output(self) -> float:
        return self.mean_of(lambda own: mean(own.output))

    @property
    def longest(self) -> tuple[int, int]:
        """Of prompts and of answers."""
        owns = [own for _, own in self.parts()]
        return max(own.prefix_tokens + own.input.most for own in owns), max(own.output.most for own in owns)

    @property
    def lengths_given(self) -> bool:
        """A person asked for lengths of their own."""
        return (self.input_tokens, self.output_tokens, self.prefix, self.mix) != (256, 64, "", [])

    @property
    def prefixes(self) -> Prefixes | None:
        """None without. Raises `PrefixError`: not once the configuration was `checked`."""
        return parse_prefixes(self.prefix) if self.prefix else None

    @property
    def prefix_tokens(self) -> int:
        """Before the lengths that are asked for."""
        return 0 if (prefixes := self.prefixes) is None else prefixes.tokens

    @property
    def input(self) -> Lengths:
        """Of prompts. Raises `LengthError`, as `output`: not once the configuration was `checked`."""
        return parse_lengths(self.input_tokens)

    @property
    def output(self) -> Lengths:
        """Asked of answers."""
        return parse_lengths(self.output_tokens)


def stage_workload(asked: WorkloadConfig, stage: Stage) -> WorkloadConfig:
    """What the run asked for, with what a stage has of its own. Lengths, prefix and prompts of its own are of
    all its requests: where it names no mix it has none."""
    names = ("input_tokens", "output_tokens", "prefix", "prompts", "turns", "think")
    own = {name: value for name in names if (value := getattr(stage, name)) is not None}
    if stage.mix is not None or own:
        own["mix"] = stage.mix or []
    return msgspec.structs.replace(asked, **own)

"""Requests with random prompts of drawn lengths, alone or behind prefixes that groups of them share."""

from __future__ import annotations

from loadgen.records import Request
from loadgen.workload.draws import drawn_length
from loadgen.workload.lengths import Fixed
from loadgen.workload.shared_prefix import SharedPrefixes
from loadgen.workload.spec import RequestSpec, SyntheticWorkload
from loadgen.workload.synthetic_prompt import prompt


class SyntheticRequests:
    """A `Workload`: random prompts of drawn lengths."""

    needs_text = False

    def __init__(self, told: SyntheticWorkload, seed: int) -> None:
        self._told = told
        fixed = isinstance(told.input, Fixed) and isinstance(told.output, Fixed)
        self._lengths = (told.input.most, told.output.most) if fixed else None
        self._seed = seed if told.prompt_seed is None else told.prompt_seed
        self._again = told.prompt_seed is not None
        self._shared: SharedPrefixes | None = None
        if told.prefix is not None:
            self._shared = SharedPrefixes(told.prefix, told.prompt, seed, self._seed)

    def spec(self, index: int) -> RequestSpec:
        told, seed, shared = self._told, self._seed, self._shared
        if shared is None or told.prefix is None:
            if self._lengths is not None:
                tokens, output = self._lengths
            else:
                tokens = drawn_length(told.input, seed, index, "input")
                output = drawn_length(told.output, seed, index, "output")
            return RequestSpec(prompt(told.prompt, seed, index, tokens), tokens, output)
        place = shared.place(index)
        number = place if self._again else index
        group, tokens = shared.group(place), drawn_length(told.input, seed, number, "input")
        return RequestSpec(
            shared.joined(group, prompt(told.prompt, seed, number, tokens)),
            told.prefix.tokens + tokens,
            drawn_length(told.output, seed, number, "output"),
            prefix_group=group,
            prefix_tokens=told.prefix.tokens,
            prompt_number=number if self._again else None,
        )

    def answered(self, request: Request, text: str) -> None:
        """Nothing depends on an answer."""

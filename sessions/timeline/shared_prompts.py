"""What of the prompts had been sent before: what a prefix cache without an end would hold of them."""

from __future__ import annotations

from loadgen.records import Request


class SharedPrompts:
    """Takes in requests in any order. Those that failed are left out: their cached tokens are not told."""

    def __init__(self) -> None:
        self.any = False
        """At least one request shared its prompt, or the beginning of it, with others of its kind."""
        self.repeated_tokens = 0
        """Tokens of the prompts that had been sent before, all together."""
        self._groups: set[tuple[tuple[str, ...], int, int]] = set()
        self._numbers: set[tuple[tuple[str, ...], int]] = set()

    def add(self, request: Request) -> None:
        """Takes one in."""
        group, prefix_tokens, number = request.prefix_group, request.prefix_tokens, request.prompt_number
        if request.error is not None or (group is None and number is None):
            return
        self.any = True
        if number is not None:
            key = (request.tags, number)
            if key in self._numbers:
                tokens = request.asked_input_tokens or request.input_tokens or 0
                # A server computes the last token in any case: the answer begins with it.
                self.repeated_tokens += max(0, tokens - 1)
                return
            self._numbers.add(key)
        if group is not None and prefix_tokens is not None:
            beginning = (request.tags, prefix_tokens, group)
            if beginning in self._groups:
                self.repeated_tokens += prefix_tokens
            self._groups.add(beginning)

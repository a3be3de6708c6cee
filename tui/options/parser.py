"""An argparse parser that ends in one plain line, knows near misses, and never repeats what may be a key."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

from tui.options.exit_codes import CommandError, one_line
from tui.options.typed_secrets import is_plain

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_LONG_WORD = re.compile(r"(\S{60})\S{20,}")
"""What was typed leaves room for what is allowed."""
_CHOICES = re.compile(r" \(choose from .*\)$")
_NO_VALUE = ("expected one argument", "expected at least one argument")
_ROOM = 220
"""Two lines of a wide terminal, with what stands before the text."""


class Parser(argparse.ArgumentParser):
    """As argparse's own, but a mistake raises `CommandError`, and options must be spelled in full."""

    def __init__(self, prog: str, takes: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            usage=f"{prog} {takes}",
            description=description,
            epilog=epilog,
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        if message.endswith(_NO_VALUE):
            message = self._with_next_word(message)
        text = re.sub(r"^argument (?:-\w, )?", "", message)
        if len(text) > _ROOM:
            text = _LONG_WORD.sub(r"\1…", text)
        if len(text) > _ROOM:  # the choices; the help has them in lines
            text = _CHOICES.sub("", text)
        plain = text == message or ("need " not in text and " (choose from " not in text)
        raise CommandError(f"{text} (see {self.prog} --help)" if plain else text)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        print(self.format_help(), end="", file=file)  # argparse's own keeps silent about a full disk

    def _with_next_word(self, message: str) -> str:
        """`message`, that an option has no value, with what stands in its place: `--duration -5s`."""
        names = message.removeprefix("argument ").partition(":")[0].split("/")
        for word, behind in pairwise(self._words):
            if word in names and behind.startswith("-"):
                got = f"got {one_line(behind.partition('=')[0])!r} behind it"
                return f"{names[-1]}: {got}, need a value ({names[-1]}=VALUE where it begins with -)"
        return message

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options in `arguments`.

        Raises:
            CommandError: one line that names the option, or the nearest one that exists.
        """
        for word in arguments:
            if word.startswith("--") and word.endswith("=--"):  # argparse would give an empty list for it
                raise CommandError(f"{one_line(word[:-3])}: got '--', need a value (see {self.prog} --help)")
        self._words = arguments
        options, unknown = self.parse_known_args(arguments)
        options.typed = list(arguments)
        flags = [word.split("=")[0] for word in unknown if word.startswith("-")]
        if flags:
            near = did_you_mean(flags[0], self._option_string_actions)
            raise CommandError(f"unknown option {one_line(flags[0])}{near} (see {self.prog} --help)")
        many = next((action for action in self._get_positional_actions() if action.nargs == "*"), None)
        if unknown and many is not None:
            # argparse takes all words before the first option, and leaves those behind it.
            more = self._get_values(many, unknown)
            setattr(options, many.dest, [*getattr(options, many.dest), *more])
            unknown = []
        if unknown:
            nth = list(arguments).index(unknown[0]) + 1
            if is_plain(unknown[0]):
                stray = f": {one_line(unknown[0])!r}"
            else:
                stray = f", number {nth} after {self.prog}, which is not repeated here: it may be a secret"
            raise CommandError(f"one argument too many{stray} (see {self.prog} --help)")
        return options


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **keywords: Any) -> None:
        super().__init__(prog, max_help_position=26, **keywords)


class Refuse(argparse.Action):
    """An option that exists only to say why it does not."""

    def __init__(self, option_strings: Sequence[str], dest: str, explanation: str) -> None:
        super().__init__(option_strings, dest, nargs="?", help=argparse.SUPPRESS)
        self.explanation = explanation

    def __call__(self, *_: object) -> NoReturn:
        raise CommandError(self.explanation)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean X?` for the nearest of `known`, or nothing when none is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {near[0]}?" if near else ""

"""Lines on stderr that tell how a run goes on, where there is no screen."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from loadgen.errors import printable
from tui.options.exit_codes import tell

if TYPE_CHECKING:
    from sessions.frame.schema import ChartMark
    from sessions.frame.session_view import SessionView

_TOLD = ("note", "warning", "error")
"""Kinds of marks that are told: changes of load and of the limit are not."""


class Progress:
    """One line on stderr: rewritten in place on a terminal, a line of its own each time elsewhere.

    `plain`: a stream for lines that are what was asked for (`--plain`), never rewritten.
    """

    def __init__(self, plain: TextIO | None = None) -> None:
        self._plain = plain
        self.in_place = plain is None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._open = False
        self._told: set[tuple[int, str]] = set()
        self._model_told = False
        self.lost: OSError | None = None
        """Why the first line that was asked for found no place on stdout; None where all have, or nobody
        reads them."""

    def show(self, line: str) -> None:
        if self.in_place:
            width = 80
            with contextlib.suppress(OSError):  # the terminal is gone, and the run goes on
                width = os.get_terminal_size(sys.stderr.fileno()).columns
            tell(f"\r\x1b[K{line[: max(width - 1, 10)]}", end="")
            self._open = True
        elif self._plain is not None:
            try:
                print(line, file=self._plain, flush=True)
            except BrokenPipeError:
                pass
            except OSError as error:  # the run goes on all the same: it is told when that is over
                if self._plain is sys.stdout:
                    self.lost = self.lost or error
        else:
            tell(line)

    def tell(self, marks: Sequence[ChartMark]) -> None:
        """Says what was found and what went wrong, each once, on a line of its own."""
        for mark in marks:
            if mark.kind in _TOLD and (mark.t_ns, mark.label) not in self._told:
                self._told.add((mark.t_ns, mark.label))
                self.close()
                tell(f"ttftop: {printable(mark.label, 300)}")

    def tell_model(self, view: SessionView) -> None:
        """Says which model is asked, once, where nobody named one."""
        manifest = view.manifest
        if manifest is None or not manifest.model or self._model_told:
            return
        self._model_told = True
        if manifest.config.target.model is None:
            self.close()
            model = printable(manifest.model, 100)
            tell(f"ttftop: model {model}, the only one that the server lists")

    def erase(self) -> None:
        """Takes the line away, as if it had never been there."""
        if self._open:
            tell("\r\x1b[K", end="")
            self._open = False

    def close(self) -> None:
        """Ends the line, so that what follows starts on one of its own."""
        if self._open:
            tell("")
            self._open = False

"""What a line that was typed asks for, once enter is pressed."""

from __future__ import annotations

from sessions.run.commands import Command
from sessions.store.manifest import SessionError
from tui.controls.prompt import Prompt
from tui.controls.session_source import SessionSource


def entered(prompt: Prompt, source: SessionSource) -> tuple[Command | None, str]:
    """What is to be asked of the run, None where that is nothing; and what was done already, in a few words.

    Raises:
        ValueError: one line saying what was got and what is allowed, or why it cannot be done.
    """
    if prompt.kind == "baseline":
        try:
            source.curve.open_baseline(prompt.asks)
        except SessionError as error:
            raise ValueError(str(error)) from None
        return None, ""
    if prompt.beside_ns is not None:
        if why := source.set_mark(prompt.beside_ns, prompt.text.strip()):
            raise ValueError(why)
        return None, "marked, beside the session"
    return prompt.command(), ""

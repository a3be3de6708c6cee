"""What a line that was typed asks for, once enter is pressed."""

from __future__ import annotations

from sessions.run.commands import Command
from sessions.store.manifest import SessionError
from tui.controls.prompt import Prompt
from tui.controls.session_source import SessionSource


def entered(prompt: Prompt, source: SessionSource) -> Command | None:
    """What is to be asked of the run; None where there is nothing, or it is done already.

    Raises:
        ValueError: one line saying what was got and what is allowed.
    """
    if prompt.kind != "baseline":
        return prompt.command()
    try:
        source.curve.open_baseline(prompt.text)
    except SessionError as error:
        raise ValueError(str(error)) from None
    return None

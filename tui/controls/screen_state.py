"""What the screen itself is up to, beside the frame it shows: plain values for the panels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tui.controls.keys import KEYS, Key
from tui.controls.playhead import Playhead, said_end_ns
from tui.controls.prompt import Prompt
from tui.controls.region_keys import Span
from tui.draw.theme import Theme


@dataclass(frozen=True)
class ScreenState:
    theme: Theme = field(default_factory=Theme)
    auto_palette: str = "dark"
    """What the theme `auto` is on this terminal."""
    keymap: tuple[Key, ...] = KEYS
    """As the person has set them."""
    playhead: Playhead = field(default_factory=Playhead)
    settled_ns: int | None = None
    """Where the past of a live run stands still: how far the run was when it came to. None: it moves."""
    replay: bool = False
    """Opened on a session that was over; a live one that ends meanwhile is `ended`, not a replay."""
    window_s: float | None = 60.0
    log: bool = True
    details: bool = False
    """In place of the charts, all that is known of the machines in words."""
    align: Literal["load", "time"] = "load"
    """What a baseline stands beside."""
    region: Span | None = None
    """From A to B; None where none is marked."""
    view: str = "overview"
    """A name of `tui.views.views`."""
    help: bool = False
    """In place of everything, the keys."""
    help_row: int = 0
    """How far the help is scrolled."""
    prompt: Prompt | None = None
    attached: bool = False
    """The run was started elsewhere: whoever looks on leaves without a question."""
    question: Literal["", "leave", "end"] = ""
    """What the bottom row asks: how to leave, or how the run is to end."""
    finishing: bool = False
    """This screen has told the run to finish: it stays until the last answers are there."""
    notice: str = ""
    """One line in the bottom row for a few seconds, in place of the keys."""
    notice_bad: bool = False
    asked: str = ""
    """What of the load waits for the run's answer, like `+1` or `14.0`."""
    paused: bool = False
    """The load of the live run is held or stopped now, whatever instant is looked at."""
    ui_hz: float = 10.0
    """How often the screen is drawn; below 10 on a slow line."""
    reading: float | None = None
    """How much of the session is read, 0 to 1; None once there is nothing more to read at once."""
    silent_s: float = 0.0
    """How long a live run has shown nothing new."""

    def end_ns(self, last_ns: int) -> int:
        """The end of the run as it is shown: in the past of a live one the most that is said of it without
        anything moving by itself (`tui.controls.playhead.said_end_ns`), and nowhere later than `last_ns`."""
        if self.settled_ns is None:
            return last_ns
        return said_end_ns(self.playhead.at_ns, self.settled_ns, last_ns)

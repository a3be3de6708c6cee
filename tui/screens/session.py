"""The screen of a session, live or replayed: keys in, one frame drawn a tick."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from sessions.run.commands import AbortRun, Ack, Answer, Command, FinishRun, Hold, Refusal, Resume
from tui.controls import display_keys, keys, load_keys, prompts, time_keys
from tui.controls.command_queue import CommandQueue
from tui.controls.entered import entered
from tui.controls.opening import telling_ns
from tui.controls.playhead import Playhead
from tui.controls.prompt import Prompt
from tui.controls.screen_state import ScreenState
from tui.controls.session_source import RunControl, SessionSource, read_ahead
from tui.screens import over_keys
from tui.screens.canvas import Canvas
from tui.views.help import help_scrolled
from tui.views.picture import Picture
from tui.views.views import OVERVIEW, VIEWS, within

NOTICE_S = 4.0
STILL_S = 1.0
"""How often, while the past of a live run stands still, it is drawn anew if anything came in."""
_ENDING: Mapping[str, Command] = {"f": FinishRun(), "a": AbortRun()}


class SessionScreen(Screen[None]):
    """`opened` has theme, keys and window as the person wants them; `leave` ends the app with how they left.

    `clock` gives seconds that never run backwards.
    """

    def __init__(
        self,
        source: SessionSource,
        control: RunControl | None,
        opened: ScreenState,
        leave: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._source = source
        self._commands = None if control is None else CommandQueue(control, self._answered)
        self._ack: Ack | None = None
        """The newest answer, until the frames show what it says."""
        self._leave_app, self._left = leave, False
        self._clock = clock
        read_ahead(source, clock)
        self._was_live, self._read_ns = source.live, source.last_ns
        # What is over is shown whole, from where it tells most: what came of it is seen at once.
        self._opened = opened
        self._state = replace(
            opened,
            playhead=Playhead(at_ns=source.last_ns, following=source.live),
            replay=control is None and not source.live,
            window_s=opened.window_s if source.live else None,
        )
        self._opening = self._state.replay
        self._picture = Picture(source)
        self._settled: tuple[int, int] | None = None
        """In the past of a live run: the instant that stands still, and how far the run was by then."""
        self._views = dict(VIEWS)
        self._drawn: tuple[object, ...] = ()
        self._drawn_s, self._undrawn = clock(), False
        self._notice_until_s, self._news_s = 0.0, clock()

    @property
    def screen_state(self) -> ScreenState:
        return self._state

    def compose(self) -> ComposeResult:
        yield Canvas(self._state.theme)

    def on_resize(self, event: events.Resize) -> None:
        self._drawn = ()
        self._redraw()

    # -- one tick ---------------------------------------------------------------------------------------

    def tick(self, ui_hz: float) -> None:
        """Reads what is new, moves the playhead, and draws if anything could look different."""
        now_s = self._clock()
        source = self._source
        news = source.poll()
        if news or not source.live:
            self._news_s = now_s
        if self._state.finishing and not source.live and not self._left:
            self._leave("finished")
        playhead = self._advanced(now_s)
        self._ack = load_keys.in_force(self._ack, source.last_ns) if source.live else None
        state = replace(
            self._state,
            playhead=playhead,
            settled_ns=self._settled_ns(playhead),
            ui_hz=ui_hz,
            reading=round(source.read_share, 2) if source.read_share < 1.0 else None,
            silent_s=float(int(now_s - self._news_s)),
            asked=load_keys.asked(self._waiting),
            paused=source.live and self._is_paused(),
        )
        if state.notice and now_s >= self._notice_until_s and state.prompt is None:
            state = replace(state, notice="", notice_bad=False)
        self._state = state
        view = self._views.get(state.view)
        drawn = (self.size, self._ack, view, replace(state, playhead=replace(playhead, moved_s=None)))
        pending = self._picture.frame is not None and self._picture.frame.limits_pending
        self._undrawn = self._undrawn or news
        # What comes in seldom changes what is past: records of another worker that are late.
        due = self._settled is None or now_s - self._drawn_s >= STILL_S
        if (self._undrawn and due) or pending or drawn != self._drawn:
            self._draw()
            self._drawn, self._drawn_s, self._undrawn = drawn, now_s, False

    def _advanced(self, now_s: float) -> Playhead:
        source, playhead = self._source, self._state.playhead
        at_end, self._read_ns = playhead.at_ns >= self._read_ns, source.last_ns
        if source.live and not self._was_live:  # opened just before its run had begun
            self._state = replace(self._state, window_s=self._opened.window_s)
            playhead = playhead.to_end(source.last_ns, live=True)
        self._was_live = source.live
        if self._opening and source.read_share >= 1.0:
            self._opening = False
            if at_end and not source.live:
                return playhead.sought(telling_ns(source), source.first_ns, source.last_ns, live=False)
        if not source.live and not playhead.playing and (playhead.following or at_end):
            return playhead.to_end(source.last_ns, live=False)
        return playhead.advanced(now_s, 0, source.last_ns, source.live)

    def _settled_ns(self, playhead: Playhead) -> int | None:
        source = self._source
        if not source.live or playhead.following or playhead.playing:
            self._settled = None
        elif self._settled is None or self._settled[0] != playhead.at_ns:
            self._settled = playhead.at_ns, source.last_ns
        return None if self._settled is None else self._settled[1]

    def _draw(self) -> None:
        if not all(self.size):
            return
        state = self._state
        rows = self._picture.rows(state, *self.size, self._views.get(state.view), self._ack)
        for canvas in self.query(Canvas):  # none before it is mounted, and while the screen closes
            canvas.theme = state.theme
            canvas.show(rows)

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._notice_until_s = self._clock() + NOTICE_S
        self._state = replace(self._state, notice=text, notice_bad=bad)

    def _redraw(self) -> None:
        self.tick(self._state.ui_hz)

    # -- keys -------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self._left:  # what is typed while the app closes is for whoever has the terminal next
            return
        if over_keys.taken_by_palette(self.app.screen, event):
            return
        waiting = self._waiting
        if self._state.prompt is not None:
            self._type(self._state.prompt, event.key, event.character)
        else:
            # What was said of the key before is no news any more.
            self._state = replace(self._state, notice="", notice_bad=False)
            if self._state.question:
                self._choose(event.key)
            elif self._state.finishing and event.key in ("a", "ctrl+c"):
                self._send(AbortRun())
            elif event.key == "escape":
                self._back()
            elif action := self._action(event.key, event.character):
                scrolled = help_scrolled(action, self._state, *self.size)
                self._state = scrolled or replace(self._state, help=False)
                if scrolled is None:
                    self.act(action)
        # A command leaves before anything is drawn: its answer draws, or the next tick while there is none.
        if self._waiting == waiting:
            self._redraw()

    def _action(self, key: str, character: str | None) -> str | None:
        state = self._state
        return keys.action_for(key, character, self._source.live, state.view, state.keymap)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self._state.prompt is not None:
            self._state = replace(self._state, prompt=self._state.prompt.typed(event.text))
            self._redraw()

    def act(self, action: str) -> None:
        """Does what the key table names `action`."""
        if action in load_keys.ACTIONS and not self._takes_commands:
            over = "a replay" if self._state.replay else "a run that has ended"
            self._say(f"the load of {over} cannot be changed")
        elif action in prompts.ASKING:
            self._ask(action)
        elif action in load_keys.COMMANDS:
            self._send(load_keys.COMMANDS[action])
        elif action in time_keys.ACTIONS:
            self._move(action)
        elif action in display_keys.ACTIONS:
            self._state, said = display_keys.ACTIONS[action](self._state)
            if action in display_keys.NEW_SCALES:
                self._picture.forget_scales()
            if said:
                self._say(said)
        elif action in over_keys.ACTIONS:
            words, bad = over_keys.ACTIONS[action](self, self._source)
            self._say(words, bad=bad)
        elif action.startswith("view_"):
            self._state = replace(self._state, view=action.removeprefix("view_"), details=False)
        elif keys.is_of_view(action):
            self._press(action)
        else:
            _ACTIONS[action](self)

    # -- the run ----------------------------------------------------------------------------------------

    @property
    def _waiting(self) -> tuple[Command, ...]:
        return () if self._commands is None else self._commands.waiting

    @property
    def _takes_commands(self) -> bool:
        return self._commands is not None and self._source.live

    def _is_paused(self) -> bool:
        return load_keys.is_paused(self._waiting, self._ack, self._source.state)

    def _send(self, command: Command) -> None:
        if self._commands is not None:
            self._commands.put(command)

    def _answered(self, command: Command, answer: Answer) -> None:
        if isinstance(answer, Refusal):
            self._say(answer.reason, bad=True)
        elif isinstance(command, AbortRun):
            self._leave("aborted")
            return
        elif isinstance(command, FinishRun):
            self._state = replace(self._state, finishing=True)
        else:
            self._ack = answer
            if words := load_keys.obeyed(command, answer, following=self._state.playhead.following):
                self._say(words)
        self._redraw()

    def _ask(self, action: str) -> None:
        try:
            prompt = prompts.asked_by(
                action, self._picture.frame, self._state.playhead, self._takes_commands, self._source
            )
        except ValueError as error:
            self._say(str(error))
        else:
            self._state = replace(self._state, prompt=prompt)

    def _type(self, prompt: Prompt, key: str, character: str | None) -> None:
        try:
            command, said = entered(prompt, self._source) if key == "enter" else (None, "")
        except ValueError as error:
            self._say(str(error), bad=True)
            return
        left = key in ("enter", "escape", "ctrl+c")
        self._state = replace(self._state, prompt=None if left else prompt.after(key, character), notice="")
        if command is not None:
            self._send(command)
        elif said:
            self._say(said)

    # -- the view ---------------------------------------------------------------------------------------

    def _move(self, action: str) -> None:
        moved = time_keys.moved(action, self._state.playhead, self._source)
        if isinstance(moved, str):
            self._say(moved)
            return
        if moved.at_ns != self._state.playhead.at_ns:
            self._picture.forget_scales()
        self._state = replace(self._state, playhead=moved)

    def _press(self, action: str) -> bool:
        """Gives a key to the view that is shown; True when it changed anything."""
        name, drawing = self._state.view, self._picture.drawing
        if drawing is None or name not in self._views:
            return False
        before = self._views[name]
        after, seek_ns, notice, ask = before.pressed(action, within(drawing))
        self._views[name] = after
        if seek_ns is not None:
            source = self._source
            moved = self._state.playhead.sought(seek_ns, source.first_ns, source.last_ns, source.live)
            self._state = replace(self._state, playhead=moved)
            self._picture.forget_scales()
        if notice:
            self._say(notice)
        self._state = replace(self._state, prompt=ask)
        return after != before or seek_ns is not None

    def _back(self) -> None:
        """Closes what is open, the innermost first; then it is the overview, at last without a baseline."""
        if self._state.help or self._state.details:
            self._state = replace(self._state, help=False, details=False)
        elif not self._press("escape"):
            if self._state.view == OVERVIEW and self._source.curve.baseline is not None:
                self._ask("baseline")  # which puts it away
            self._state = replace(self._state, view=OVERVIEW)

    # -- leaving ----------------------------------------------------------------------------------------

    def _leave(self, how: str) -> None:
        self._left = True
        self._leave_app(how)

    def _quit(self) -> None:
        if self._takes_commands and not self._state.attached and not self._state.finishing:
            self._state = replace(self._state, question="leave")
        else:
            self._leave("detached" if self._source.live else "quit")

    def _end_run(self) -> None:
        self._state = replace(self._state, question="end")

    def _choose(self, key: str) -> None:
        if key == "d" and self._state.question == "leave":
            self._leave("detached")
        elif key in _ENDING:
            self._send(_ENDING[key])
            if key == "a":
                self._say("aborting")
        if key in (*_ENDING, "escape", "q", "Q", "n"):
            self._state = replace(self._state, question="")


_ACTIONS: dict[str, Callable[[SessionScreen], None]] = {
    "hold": lambda screen: screen._send(Resume() if screen._is_paused() else Hold()),
    "quit": SessionScreen._quit,
    "end_run": SessionScreen._end_run,
}

"""The live screen, which is the replay's as well: keys in, one frame drawn a tick."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen

from sessions.frame.schema import Frame
from tui.controls import keys
from tui.controls.command_queue import CommandQueue
from tui.controls.load_keys import LoadKeys
from tui.controls.playhead import Playhead, next_mark_ns, previous_mark_ns
from tui.controls.prompt import Prompt, parsed_concurrency, parsed_rate
from tui.controls.screen_state import ScreenState
from tui.controls.session_source import RunControl, SessionSource
from tui.controls.time_window import WINDOWS_S, column_ns, window_label
from tui.draw.layout import columns_for, slices_for
from tui.draw.paged_axis import PAGE, paged
from tui.draw.rows import sliced
from tui.draw.theme import Theme
from tui.plots.scale import Scale
from tui.screens.canvas import Canvas
from tui.screens.help import HelpScreen
from tui.views.overview import compose, scales_for

TICK_NS = 250_000_000
NOTICE_S = 4.0
WINDOW_S = 60.0
"""What the charts of a live run span at first."""
_SEEKS_NS = {
    "back": -5_000_000_000,
    "forward": 5_000_000_000,
    "back_far": -60_000_000_000,
    "forward_far": 60_000_000_000,
    "tick_back": -TICK_NS,
    "tick_forward": TICK_NS,
}
_LOAD_STEPS = {"load_up": 1, "load_down": -1, "load_up_ten": 10, "load_down_ten": -10}
_LOAD_ACTIONS = (*_LOAD_STEPS, "load_exact", "hold", "stop", "mark")
_LEAVING = {"f": "finished", "d": "detached", "a": "aborted"}
_STOPS = ("load", "mark", "limit", "warning", "error")
"""Events to which `n` and `N` go."""


class SessionScreen(Screen[None]):
    """`clock` gives seconds that never run backwards; `leave` ends the app with how the person left."""

    def __init__(
        self,
        view: SessionSource,
        control: RunControl | None,
        theme: Theme,
        leave: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._view = view
        self._commands = None if control is None else CommandQueue(control, self._answered)
        self._leave = leave
        self._clock = clock
        _read(view, clock)
        self._was_live, self._read_ns = view.live, view.last_ns
        # What is over is shown whole, from its end: what came of it is seen at once, and play begins it anew.
        self._scene = ScreenState(
            theme=theme,
            playhead=Playhead(at_ns=view.last_ns, following=view.live),
            replay=control is None and not view.live,
            window_s=WINDOW_S if view.live else None,
        )
        self._scales: Mapping[str, Scale] = {}
        self._frame: Frame | None = None
        self._drawn: tuple[object, ...] = ()
        self._load = LoadKeys(self._send, self._now, clock)
        self._notice_until_s = 0.0
        self._news_s = clock()

    @property
    def screen_state(self) -> ScreenState:
        return self._scene

    def compose(self) -> ComposeResult:
        # Several, side by side, only so that fewer bytes are sent: see `slices_for`.
        with Horizontal():
            edges = slices_for(self.app.size.width, PAGE)
            for begin, end in pairwise(edges):
                canvas = Canvas(self._scene.theme)
                canvas.styles.width = max(end - begin, 0)
                yield canvas

    def on_resize(self, event: events.Resize) -> None:
        self._drawn = ()
        self.tick(self._scene.ui_hz)

    # -- one tick ---------------------------------------------------------------------------------------

    def tick(self, ui_hz: float) -> None:
        """Reads what is new, moves the playhead, and draws if anything could look different."""
        now_s = self._clock()
        view = self._view
        news = view.poll()
        if news or not view.live:
            self._news_s = now_s
        playhead = self._advanced(now_s)
        screen_state = replace(
            self._scene,
            playhead=playhead,
            ui_hz=ui_hz,
            silent_s=float(int(now_s - self._news_s)),
            asked=self._load.asked(),
            paused=view.live and self._load.was_paused(),
        )
        if screen_state.notice and now_s >= self._notice_until_s and screen_state.prompt is None:
            screen_state = replace(screen_state, notice="", notice_bad=False)
        self._scene = screen_state
        drawn = (self.size, replace(screen_state, playhead=replace(screen_state.playhead, moved_s=None)))
        if news or drawn != self._drawn:
            self._draw()
            self._drawn = drawn

    def _advanced(self, now_s: float) -> Playhead:
        view, playhead = self._view, self._scene.playhead
        at_end, self._read_ns = playhead.at_ns >= self._read_ns, view.last_ns
        if view.live and not self._was_live:  # opened just before its host had begun
            self._scene = replace(self._scene, window_s=WINDOW_S)
            playhead = playhead.to_end(view.last_ns, live=True)
        self._was_live = view.live
        if not view.live and not playhead.playing and (playhead.following or at_end):
            return playhead.to_end(view.last_ns, live=False)
        return playhead.advanced(now_s, 0, view.last_ns, view.live)

    def _draw(self) -> None:
        width, height = self.size
        if not width or not height:
            return
        view, screen_state = self._view, self._scene
        plot = columns_for(width).plot
        at_ns = screen_state.playhead.at_ns
        # Of a window that spans the run, the columns stay where they are wherever the playhead is.
        slot_ns = column_ns(screen_state.window_s, view.last_ns - view.first_ns, plot)
        frame = paged(view.frame(at_ns, slot_ns * plot, plot))
        if screen_state.playhead.following:
            self._load.seen(frame)
        self._frame = frame
        screen_state = replace(self._scene, asked=self._load.asked())
        self._scene = screen_state
        self._scales = scales_for(frame, screen_state, self._scales)
        rows = compose(frame, screen_state, self._scales, width, height)
        edges = slices_for(width, PAGE)
        for canvas, begin, end in zip(self.query(Canvas), edges, edges[1:], strict=False):
            canvas.styles.width = end - begin
            canvas.show([sliced(row, begin, end) for row in rows])

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._notice_until_s = self._clock() + NOTICE_S
        self._scene = replace(self._scene, notice=text, notice_bad=bad)

    def _redraw(self) -> None:
        self.tick(self._scene.ui_hz)

    # -- keys -------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self._scene.prompt is None:  # what was said of the key before is no news any more
            self._scene = replace(self._scene, notice="", notice_bad=False)
        if self._scene.prompt is not None:
            self._type(event.key, event.character)
        elif self._scene.quitting:
            self._choose(event.key)
        elif event.key == "escape" and self._scene.details:
            self._details()
        else:
            action = keys.action_for(event.key, event.character, self._view.live)
            if action is not None:
                self.act(action)
        self._redraw()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self._scene.prompt is not None:
            self._scene = replace(self._scene, prompt=self._scene.prompt.typed(event.text))
            self._redraw()

    def act(self, action: str) -> None:
        """Does what the key table names `action`."""
        if action in _LOAD_ACTIONS and (self._commands is None or not self._view.live):
            over = "a replay" if self._scene.replay else "a run that has ended"
            self._say(
                f"{over} takes no marks" if action == "mark" else f"the load of {over} cannot be changed"
            )
        elif action in _LOAD_STEPS:
            self._step(_LOAD_STEPS[action])
        elif action in _SEEKS_NS:
            self._seek(self._scene.playhead.at_ns + _SEEKS_NS[action])
        else:
            _ACTIONS[action](self)

    def _send(self, command: Mapping[str, Any]) -> None:
        if self._commands is not None:
            self._commands.put(command)

    def _answered(self, command: Mapping[str, Any], error: str) -> None:
        if error:
            self._load.refused(command["cmd"])
            self._say(error, bad=True)
            self._redraw()
        elif command["cmd"] in ("finish", "abort"):
            self._leave("finished" if command["cmd"] == "finish" else "aborted")

    def _now(self) -> Frame | None:
        """The run as it is, whatever instant is being looked at: what the load keys count from."""
        if self._frame is None or self._scene.playhead.following:
            return self._frame
        return self._view.frame(self._view.last_ns, TICK_NS, 1)

    def _say_where(self, what: str) -> None:
        """In the past of a live run, says that a key was for the run and not for what is on the screen."""
        self._say("" if self._scene.playhead.following else f"{what} (the run, now; end goes back to it)")

    def _step(self, steps: int) -> None:
        if self._load.is_paused():  # less load must not start any
            self._say("nothing is being sent: space resumes, = sets a load")
            return
        done = self._load.step(steps)
        if done is None:
            self._say("the load has not begun yet")
        else:
            self._say_where(done)

    def _exact(self) -> None:
        closed = self._frame is not None and self._frame.closed_loop
        prompt = Prompt("concurrency", "concurrency:") if closed else Prompt("rate", "rate (req/s):")
        self._scene = replace(self._scene, prompt=prompt, notice="")

    def _hold(self) -> None:
        self._say_where(self._load.hold())

    def _stop(self) -> None:
        self._load.stop()
        self._say("stopped sending, the backlog is dropped: space resumes")

    def _ask_mark(self) -> None:
        when = "mark" if self._scene.playhead.following else "mark now, not at the time shown"
        self._scene = replace(self._scene, prompt=Prompt("mark", f"{when} (words are optional):"), notice="")

    def _type(self, key: str, character: str | None) -> None:
        prompt = self._scene.prompt
        if prompt is None:
            return
        if key in ("escape", "ctrl+c"):
            self._scene = replace(self._scene, prompt=None, notice="")
        elif key == "enter":
            self._entered(prompt)
        elif character is not None and character.isprintable():
            self._scene = replace(self._scene, prompt=prompt.typed(character), notice="")
        else:
            self._scene = replace(self._scene, prompt=prompt.pressed(key))

    def _entered(self, prompt: Prompt) -> None:
        if prompt.kind == "mark":
            self._send({"cmd": "mark", "text": prompt.text.strip()})
        elif prompt.text.strip():
            try:
                value = parsed_rate(prompt.text) if prompt.kind == "rate" else parsed_concurrency(prompt.text)
            except ValueError as error:
                self._say(str(error), bad=True)
                return
            self._say_where(self._load.ask(float(value), closed_loop=prompt.kind == "concurrency"))
        self._scene = replace(self._scene, prompt=None, notice="")

    # -- time -------------------------------------------------------------------------------------------

    def _seek(self, to_ns: int) -> None:
        view = self._view
        self._scales = {}
        self._scene = replace(
            self._scene, playhead=self._scene.playhead.sought(to_ns, view.first_ns, view.last_ns, view.live)
        )

    def _play(self) -> None:
        playhead = self._scene.playhead.toggled(self._view.first_ns, self._view.last_ns)
        self._scene = replace(self._scene, playhead=playhead)

    def _pace(self, notches: int) -> None:
        playhead = self._scene.playhead
        if playhead.following:
            self._say("now is shown at its own pace: go back first (left)")
            return
        paced = playhead.paced(notches)
        # In a live run's past there is no play key (space holds the load): a change of speed starts playing.
        self._scene = replace(self._scene, playhead=replace(paced, playing=paced.playing or self._view.live))

    def _mark_after(self, forward: bool) -> None:
        view, at_ns = self._view, self._scene.playhead.at_ns
        everything = view.frame(view.last_ns, TICK_NS, 1).marks
        times = sorted(mark.t_ns for mark in everything if mark.kind in _STOPS)
        to_ns = next_mark_ns(times, at_ns) if forward else previous_mark_ns(times, at_ns)
        if to_ns is None:
            self._say("no mark after this one" if forward else "no mark before this one")
        else:
            self._seek(to_ns)

    # -- the view ---------------------------------------------------------------------------------------

    def _window(self) -> None:
        index = (WINDOWS_S.index(self._scene.window_s) + 1) % len(WINDOWS_S)
        self._scales = {}
        self._scene = replace(self._scene, window_s=WINDOWS_S[index])
        self._say(f"window {window_label(WINDOWS_S[index])}")

    def _log(self) -> None:
        self._scales = {}
        self._scene = replace(self._scene, log=not self._scene.log)

    def _details(self) -> None:
        self._scene = replace(self._scene, details=not self._scene.details)

    def _help(self) -> None:
        self.app.push_screen(HelpScreen(self._scene.theme))

    def _quit(self) -> None:
        if self._view.live and self._commands is not None:
            self._scene = replace(self._scene, quitting=True)
        else:
            self._leave("detached" if self._view.live else "quit")

    def _choose(self, key: str) -> None:
        how = _LEAVING.get(key)
        if how == "detached":
            self._leave(how)
        elif how is not None:
            self._send({"cmd": "finish" if how == "finished" else "abort"})
            self._say("finishing and saving" if how == "finished" else "aborting")
            self._scene = replace(self._scene, quitting=False)
        elif key in ("escape", "q", "n"):
            self._scene = replace(self._scene, quitting=False)


def _read(view: SessionSource, clock: Callable[[], float], for_s: float = 0.3) -> None:
    """What was recorded before the screen opened; the ticks read on where that is too much at once."""
    until_s = clock() + for_s
    while view.poll() and clock() < until_s:
        pass


_ACTIONS: dict[str, Callable[[SessionScreen], None]] = {
    "load_exact": SessionScreen._exact,
    "hold": SessionScreen._hold,
    "play": SessionScreen._play,
    "stop": SessionScreen._stop,
    "mark": SessionScreen._ask_mark,
    "to_start": lambda screen: screen._seek(screen._view.first_ns),
    "to_end": lambda screen: screen._seek(screen._view.last_ns),
    "slower": lambda screen: screen._pace(-1),
    "faster": lambda screen: screen._pace(1),
    "next_mark": lambda screen: screen._mark_after(True),
    "previous_mark": lambda screen: screen._mark_after(False),
    "window": SessionScreen._window,
    "log": SessionScreen._log,
    "details": SessionScreen._details,
    "help": SessionScreen._help,
    "quit": SessionScreen._quit,
}

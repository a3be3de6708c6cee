"""The home screen: what was recorded, servers that listen here, and what is under the cursor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input, OptionList

from sessions.summary.digest import Digest
from telemetry.local_servers import LocalServer
from tui.controls.home_list import ORDERS, Item
from tui.controls.home_sources import Courses
from tui.controls.home_sources import HomeChoice as HomeChoice
from tui.controls.home_sources import HomeSources as HomeSources
from tui.draw.theme import Theme
from tui.options.settings import Settings
from tui.screens.canvas import Canvas
from tui.screens.form import FormScreen
from tui.screens.home_help import HomeHelp
from tui.screens.row_list import RowList
from tui.screens.terminal_app import TerminalApp
from tui.views import home as view

READ_S = 0.03
"""Of each tick, the time that manifests are read in."""
TICK_S = 0.1
LOOK_S = 3.0
"""From one look at what is there to the next."""
PREVIEW_ROWS = 9
"""Below the list, where there is no room beside it; fewer on a terminal that is less than 24 rows high."""


class HomeApp(TerminalApp):
    """Its `choice` is what to do next."""

    def __init__(
        self, sources: HomeSources, opened: HomeChoice | None = None, *, settings: Settings | None = None
    ) -> None:
        super().__init__(title="ttftop", settings=settings)
        self._sources = sources
        self._opened = opened if opened is not None else HomeChoice()
        self.choice = self._opened

    def get_default_screen(self) -> Screen[None]:
        return HomeScreen(self._sources, self._opened, self._theme, self._chose)

    def _chose(self, choice: HomeChoice) -> None:
        self.choice = choice
        self.leave(choice.how)

    def leave(self, how: str) -> None:
        self.choice = replace(self.choice, how=how)
        super().leave(how)

    async def action_quit(self) -> None:
        """ctrl+q, which Textual binds above every screen."""
        self.leave("quit")


class HomeScreen(Screen[None]):
    """`chose` is told once, when the person opens something or leaves."""

    BINDINGS = [  # noqa: RUF012
        ("b", "base", ""),
        ("s", "sort", ""),
        ("r", "look_again", ""),
        ("u", "by_url", ""),
        ("d", "demo", ""),
        ("question_mark", "help", ""),
        ("down,j", "move(True)", ""),
        ("up,k", "move(False)", ""),
        ("escape", "back", ""),
        ("q", "leave", ""),
        Binding("ctrl+c", "leave", priority=True),  # a field would copy
    ]

    def __init__(
        self,
        sources: HomeSources,
        opened: HomeChoice,
        theme: Theme,
        chose: Callable[[HomeChoice], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._sources, self._theme, self._chose, self._clock = sources, theme, chose, clock
        self._home, self._cursor = opened.home, opened.cursor
        self._items: list[Item] = []
        self._unread: list[Path] = []
        self._found: SimpleQueue[Sequence[LocalServer]] = SimpleQueue()
        self._looking: Thread | None = None
        self._looked_s = clock()
        self._courses = Courses(sources.course)

    @property
    def busy(self) -> bool:
        """There is something that is still looked for, or read."""
        return self._home.servers is None or bool(self._unread) or not self._items

    def compose(self) -> ComposeResult:
        yield Canvas(self._theme, id="head")
        with Container(id="both"):
            yield RowList(self._theme, id="list")
            yield Canvas(self._theme, id="preview")
        yield Input(
            id="filter",
            compact=True,
            placeholder="words of a name, model, server, tag ...",
            select_on_focus=False,  # what was typed with `/` stays
        )
        yield Canvas(self._theme, id="foot")

    def on_mount(self) -> None:
        self.query_one("#filter", Input).display = False
        self.query_one(RowList).focus()
        self._list_sessions()
        if self._home.servers is None:
            self._look()
        self._show()
        self.set_interval(TICK_S, self._tick)

    def on_resize(self, event: events.Resize) -> None:
        beside = event.size.width >= view.BESIDE_WIDTH
        small = event.size.width < 60 or event.size.height < 16
        self.query_one("#both").styles.layout = "horizontal" if beside else "vertical"
        listed, preview = self.query_one(RowList), self.query_one("#preview", Canvas)
        listed.styles.width = "5fr" if beside else "100%"
        preview.display = not small
        preview.styles.width = "3fr" if beside else "100%"
        preview.styles.height = "100%" if beside else min(PREVIEW_ROWS, max((event.size.height - 4) // 2, 1))
        self.call_after_refresh(self._show)

    # -- what is listed -----------------------------------------------------------------------------------

    def _list_sessions(self) -> None:
        known = {one.directory: one for one in self._home.sessions if one.state not in ("", "live")}
        listed = [known.get(path) or Digest(path) for path in self._sources.sessions()]
        self._home = replace(self._home, sessions=tuple(listed))
        self._unread = [one.directory for one in reversed(listed) if one.state == ""]

    def _look(self) -> None:
        self._start(self._sources.servers, self._found.put)

    def _start(self, look: Callable[..., None], *arguments: object) -> None:
        self._looking = Thread(target=look, args=arguments, name="home servers", daemon=True)
        self._looked_s = self._clock()
        self._looking.start()

    def _look_now_and_then(self) -> None:
        """What came since: sessions, and servers that began to listen."""
        looking = self._looking is not None and self._looking.is_alive()
        if looking or self._home.servers is None or self._clock() - self._looked_s < LOOK_S:
            return
        self._list_sessions()
        self._start(self._sources.look_again, self._home.servers, self._found.put)

    def _tick(self) -> None:
        self._look_now_and_then()
        changed = False
        try:
            while True:
                self._home = replace(self._home, servers=tuple(self._found.get_nowait()))
                changed = True
        except Empty:
            pass
        if self._unread:
            self._read_some()
            changed = True
        item = self._item
        came = self._courses.look(item.session if item is not None else None)
        if changed:
            self._show()
        elif came:
            self._say()

    def _read_some(self) -> None:
        until_s = self._clock() + READ_S
        read: dict[Path, Digest] = {}
        while self._unread and (not read or self._clock() < until_s):
            directory = self._unread.pop()
            read[directory] = self._sources.read(directory)
        sessions = tuple(read.get(one.directory, one) for one in self._home.sessions)
        self._home = replace(self._home, sessions=sessions)

    def _show(self) -> None:
        """The list anew, the cursor on the line where it was, or nearest to it."""
        if not self.is_mounted:
            return
        listed = self.query_one(RowList)
        before = [item.key for item in self._items]
        self._items = self._home.items()
        keys = [item.key for item in self._items]
        width = listed.scrollable_content_region.width or self.size.width
        at = view.columns(self._items, width)
        rows = [view.item_row(item, width, self._theme, at) for item in self._items]
        on = listed.highlighted
        if self._cursor in keys:
            on = keys.index(self._cursor)
        elif not self._cursor or on is None:
            on = next((i for i, item in enumerate(self._items) if item.session or item.server), None)
        listed.show(rows, [not item.heading for item in self._items], on, anew=keys != before)
        self._say()

    def _say(self) -> None:
        preview = self.query_one("#preview", Canvas)
        width, height = preview.size
        self.query_one("#head", Canvas).show([view.head_row(self._home, self.size.width)])
        item = self._item
        course = self._courses.of(item.session) if item is not None else None
        preview.show(view.preview_rows(item, width, height, self._theme, course))
        self.query_one("#foot", Canvas).show([view.foot_row(self.size.width)])

    @property
    def _item(self) -> Item | None:
        at = self.query_one(RowList).highlighted
        return self._items[at] if at is not None and at < len(self._items) else None

    def on_option_list_option_highlighted(self, _: OptionList.OptionHighlighted) -> None:
        item = self._item
        if item is not None and not item.heading:
            self._cursor = item.key
        self._say()

    # -- what is chosen -----------------------------------------------------------------------------------

    def on_option_list_option_selected(self, _: OptionList.OptionSelected) -> None:
        item = self._item
        if item is None:
            return
        if item.session is not None:
            if item.session.state == "unreadable":  # what is beside the list says why
                self.app.bell()
            else:
                self._leave("session", directory=item.session.directory)
        elif item.server is not None:
            self._open_form(item.server)

    def _open_form(self, server: LocalServer | None) -> None:
        def started(words: tuple[str, ...] | None) -> None:
            if words is not None:
                self._leave("run", words=words)

        self.app.push_screen(FormScreen(server, self._sources.check, self._theme), started)

    def _leave(self, how: str, *, directory: Path | None = None, words: tuple[str, ...] = ()) -> None:
        self._chose(HomeChoice(how, directory, words, self._home, self._cursor))

    # -- keys ---------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """`/` and letters that were typed at once with it, before the filter has the keyboard. As a binding
        the key would come to its action only after those letters had come to theirs."""
        box = self.query_one("#filter", Input)
        if not event.is_printable or event.character is None or not (box.display or event.character == "/"):
            return
        event.stop()
        event.prevent_default()
        if box.display:
            box.insert_text_at_cursor(event.character)
        else:
            self._open_filter()

    def _open_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.display = True
        box.value = self._home.wanted
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if self.query_one("#filter", Input).display:
            self._home = replace(self._home, wanted=event.value)
            self._show()

    def on_input_submitted(self, _: Input.Submitted) -> None:
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.query_one(RowList).focus()

    def action_back(self) -> None:
        """Closes the filter, the innermost first; leaves only where there is none."""
        if self._home.wanted or self.query_one("#filter", Input).display:
            self._home = replace(self._home, wanted="")
            self._close_filter()
            self._show()

    def action_sort(self) -> None:
        after = ORDERS[(ORDERS.index(self._home.order) + 1) % len(ORDERS)]
        self._home = replace(self._home, order=after)
        self._show()

    def action_look_again(self) -> None:
        if self._home.servers is None:  # each port is asked once, however often the key is pressed
            return
        self._home = replace(self._home, servers=None)
        self._list_sessions()
        self._look()
        self._show()

    def action_help(self) -> None:
        self.app.push_screen(HomeHelp(self._theme))

    def action_by_url(self) -> None:
        self._open_form(None)

    def action_demo(self) -> None:
        self._leave("run", words=("demo",))

    def action_base(self) -> None:
        self._home = self._home.marked(self._item)
        self._show()

    def action_move(self, down: bool) -> None:
        listed = self.query_one(RowList)
        (listed.action_cursor_down if down else listed.action_cursor_up)()

    def action_leave(self) -> None:
        self._leave("quit")

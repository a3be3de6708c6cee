"""The home screen under Textual's pilot: real sessions on disk, a stand-in for what listens on this machine."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from rich.cells import cell_len
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from sessions.frame.course import Course
from sessions.frame.session_view import SessionView
from sessions.plan.config import LoadConfig, RunConfig, TargetConfig
from sessions.store.directory import listing
from sessions.store.manifest import EndInfo, write
from sessions.summary.digest import Digest, digest
from sessions.summary.read import read_summary
from sessions.summary.schema import plain
from sessions.summary.stored import StoredSummary
from telemetry.local_servers import USUAL_PORTS_SAID, LocalServer
from tests.sessions.conftest import make
from tests.sessions.summary.summing import stored
from tui.commands.home import AS_EVER, _sources, checked
from tui.controls.home_list import Item
from tui.draw.numbers import length, ms
from tui.draw.theme import Theme
from tui.foreground.screen import show_replay
from tui.options.settings import Settings
from tui.screens.canvas import Canvas
from tui.screens.home import HomeApp, HomeChoice, HomeScreen, HomeSources
from tui.screens.row_list import RowList
from tui.views.home import columns, item_row, preview_rows
from tui.views.home_course import course_rows
from tui.views.home_help import KEYS, WORDS

RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
VLLM = LocalServer("http://127.0.0.1:8000", "vLLM", ("llama-3.1-70b", "lora"), gpus=("GPU 0", "GPU 1"))


def session(root: Path, name: str, model: str, rate_rps: float = 5.0, seed: int = 1) -> Path:
    directory = root / name
    directory.mkdir(parents=True)
    run = make(seconds=2.0, rate_rps=rate_rps, seed=seed)
    stored(run, directory)
    run.manifest.session.id, run.manifest.session.name = name, ""
    run.manifest.server = {"model": model}
    run.manifest.end = EndInfo("completed", "2026-11-03T12:01:00+01:00", 2.0)
    run.manifest.result = plain(read_summary(directory))
    write(directory, run.manifest)
    return directory


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("home") / "sessions"
    session(root, "20261103-120000-first", "llama")
    session(root, "20261104-130000-second", "qwen", 9.0)
    return root


class Home:
    def __init__(self, pilot: Pilot[str]) -> None:
        self.pilot = pilot

    @property
    def screen(self) -> HomeScreen:
        found = self.pilot.app.screen_stack[0]
        assert isinstance(found, HomeScreen)
        return found

    def text(self, name: str) -> str:
        return "\n".join(self.pilot.app.screen.query_one(name, Canvas).text)

    @property
    def listed(self) -> list[str]:
        return self.screen.query_one(RowList).text

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(400):
            if holds():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(self.listed)


def at_home(
    root: Path,
    body: Callable[[Home], Awaitable[None]],
    *,
    servers: Sequence[LocalServer] = (),
    size: tuple[int, int] = (80, 24),
    opened: HomeChoice | None = None,
    charset: str = "braille",
    later: Sequence[LocalServer] = (),
    course: Callable[[Path], Course | None] = lambda _: None,
) -> HomeChoice:
    """Runs `body` with the home screen on the sessions in `root`; returns what was chosen."""
    sources = HomeSources(
        lambda: listing(root),
        digest,
        lambda tell: tell(servers),
        checked,
        lambda known, tell: tell(later) if later and list(known) != list(later) else None,
        course,
    )

    async def run() -> HomeChoice:
        app = HomeApp(sources, opened, settings=Settings(charset=charset))
        async with app.run_test(size=size) as pilot:
            home = Home(pilot)
            await home.until(lambda: not home.screen.busy)
            await pilot.pause()
            await body(home)
        return app.choice

    return asyncio.run(run())


def test_what_was_recorded_stands_newest_first_with_its_load_p95_and_verdict(recorded: Path) -> None:
    async def body(home: Home) -> None:
        _, _, heading, *rows = home.listed
        assert heading.startswith(" recorded sessions  2")
        assert [row.split()[:3] for row in rows] == [
            ["11-04", "13:00", "second"],
            ["11-03", "12:00", "first"],
        ]
        p95_ms = digest(recorded / "20261104-130000-second").summary.ttft_from_due_ms.p95
        assert p95_ms is not None
        at = heading.index("TTFT p95")
        assert rows[0][at:].startswith("~" + length(p95_ms)), "of 18 requests"
        assert "rps" in rows[0]

    at_home(recorded, body)


def test_below_the_list_stands_what_is_known_of_the_line_under_the_cursor(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("down")
        preview = home.text("#preview")
        said = digest(recorded / "20261103-120000-first").summary
        assert "llama" in preview
        assert f"{said.requests.sent:,} sent" in preview
        ttft = said.ttft_from_due_ms
        assert ttft.thin == ["p50", "p90", "p95", "p99"], "of ten requests"
        assert f"TTFT ms  p50 ~{ms(ttft.p50)}  p95 ~{ms(ttft.p95)}  p99 ~{ms(ttft.p99)}" in preview
        assert "verdict" in preview

    at_home(recorded, body)


def test_enter_on_a_session_opens_it_and_home_comes_back_as_it_was_left(recorded: Path) -> None:
    async def pick(home: Home) -> None:
        await home.press("slash", *"first")
        await home.press("enter", "enter")

    choice = at_home(recorded, pick)
    assert (choice.how, choice.directory) == ("session", recorded / "20261103-120000-first")

    async def again(home: Home) -> None:
        assert any("first" in row for row in home.listed)
        assert not any("second" in row for row in home.listed)
        await home.press("escape")
        assert any("second" in row for row in home.listed)
        assert "llama" in home.text("#preview")
        await home.press("q")

    assert at_home(recorded, again, opened=choice).how == "quit"


def test_words_after_a_slash_leave_only_what_has_them_all(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("slash", *"QWEN rps")
        assert [row.split()[2] for row in home.listed[3:]] == ["second"]
        assert "1 of 2" in home.listed[2]
        await home.press("x")
        assert len(home.listed) == 3
        await home.press("escape")
        assert len(home.listed) == 5

    at_home(recorded, body)


def test_letters_of_a_filter_are_no_keys(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("slash", "q", "s", "r", "u")
        assert home.screen.query_one("#filter", Input).value == "qsru"

    assert at_home(recorded, body).how == "quit"


def test_s_sorts_by_ttft_and_by_model(recorded: Path) -> None:
    async def body(home: Home) -> None:
        p95_ms = {path.name[16:]: digest(path).summary.ttft_from_due_ms.p95 for path in listing(recorded)}
        await home.press("s")
        assert [row.split()[2] for row in home.listed[3:]] == sorted(p95_ms, key=lambda name: -p95_ms[name])
        assert "by TTFT p95" in home.listed[2]
        await home.press("s")
        assert [row.split()[2] for row in home.listed[3:]] == ["first", "second"]
        assert "by model" in home.listed[2]

    at_home(recorded, body)


def test_a_server_that_listens_is_listed_with_its_models_and_gpus(recorded: Path) -> None:
    async def body(home: Home) -> None:
        assert "http://127.0.0.1:8000" in home.listed[1]
        await home.press("home")
        preview = home.text("#preview")
        assert "GPU 0, GPU 1" in preview
        assert "llama-3.1-70b" in preview

    at_home(recorded, body, servers=[VLLM])


def test_enter_on_a_server_opens_a_form_that_says_what_it_comes_to_and_starts_it(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("home", "enter")
        says = " ".join(home.text("#says").split())
        assert "about 60 s and what the last answers take; 60 requests, 15,360 tokens in, 3,840 out" in says
        assert (
            "ttftop run http://127.0.0.1:8000 --model=llama-3.1-70b --rate=1 --duration=60s "
            "--input-tokens=256 --output-tokens=64"
        ) in says
        await home.press("backspace", "4")
        assert "240 requests" in home.text("#says")
        await home.press("enter")

    choice = at_home(recorded, body, servers=[VLLM])
    assert choice.how == "run"
    assert choice.words == (
        *("run", "http://127.0.0.1:8000", "--model=llama-3.1-70b", "--rate=4", "--duration=60s"),
        *("--input-tokens=256", "--output-tokens=64"),
    )


def test_a_form_that_cannot_be_says_why_and_starts_nothing(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("u")
        assert "the URL at which the server answers" in home.text("#says"), "nothing is wrong yet"
        await home.press("enter")
        assert "the URL is empty, need one such as" in " ".join(home.text("#says").split())
        await home.press(*"localhost:8000", "enter")
        await home.press("tab", "tab", "end", "backspace", *"-3")
        assert "--rate: got '-3', need a number" in home.text("#says")
        await home.press("enter", "escape")
        assert home.pilot.app.screen is home.screen
        await home.press("q")

    assert at_home(recorded, body).how == "quit"


def test_a_url_that_begins_as_an_option_is_none(recorded: Path) -> None:
    assert checked({"url": "--insecure"}).words == ("run", "insecure")


def test_a_load_without_an_end_says_so() -> None:
    found = checked({"url": "http://h:1", "rate": "2", "duration": ""})
    assert (found.ok, found.says) == (True, "2 requests a second until you end it; keys change the load")


def test_no_sessions_and_no_servers_is_said_and_harms_no_key(tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        assert "none found; u: one by its URL" in home.listed[0]
        assert home.listed[1].split() == ["at", *USUAL_PORTS_SAID.split()]
        assert "none in" in home.listed[2]
        assert "d the demo" in home.text("#preview")
        await home.press("enter", "down", "up", "pagedown", "s", "r", "escape", "ctrl+c")

    assert at_home(tmp_path / "nothing", body).how == "quit"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sessions with names and texts that would steer a terminal, a damaged one, one that is none."""
    root = tmp_path_factory.mktemp("odd")
    good = session(root, "20261103-120000-good", "m\x1b[2J[bold]\u202e\n" + "宽" * 80)
    for name in (
        b"\x1b]0;PWN\x07\x1b[2J",
        b"\xc2\x9b2J\xe2\x80\xae",
        b"bad\xff\xfe",
        b"new\nline",
        b"[red]x[/]",
    ):
        shutil.copytree(os.fsencode(good), os.fsencode(root) + b"/20261103-140000-" + name)
    (root / "20261105-000000-x").mkdir()
    (root / "20261105-000000-x" / "session.toml").write_text("not TOML")
    (root / "20261106-000000-pipe").mkdir()
    os.mkfifo(root / "20261106-000000-pipe" / "session.toml")
    return root


@pytest.mark.parametrize("size", [(40, 10), (60, 16), (80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_hostile_sessions_and_models_are_text_in_every_size(odd: Path, size, charset) -> None:
    evil = LocalServer("http://127.0.0.1:1", "x\x1b[2J", ("[b]\u202em" * 40,) * 9, wants_key=True)

    async def body(home: Home) -> None:
        assert any("unreadable" in row for row in home.listed)
        for _ in range(len(home.listed)):
            canvases = [line for canvas in home.screen.query(Canvas) for line in canvas.text]
            drawn = "\n".join([*home.listed, *canvases])
            assert RAW.search(drawn.replace("\n", "")) is None
            assert charset != "ascii" or drawn.isascii()
            assert all(cell_len(line) <= size[0] for line in [*home.listed, *canvases])
            await home.press("down")

    at_home(odd, body, servers=[evil], size=size, charset=charset)


def test_what_cannot_be_read_is_not_opened(odd: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("enter")
        assert home.pilot.app.return_value is None
        await home.press("q")

    assert at_home(odd, body).how == "quit"


def test_a_move_of_the_cursor_redraws_two_lines_of_the_list(recorded: Path) -> None:
    async def body(home: Home) -> None:
        listed = home.screen.query_one(RowList)
        drawn: list[int] = []
        render = listed.render_line
        listed.render_line = lambda y: (drawn.append(y), render(y))[1]  # type: ignore[method-assign]
        await home.press("down")
        assert sorted(set(drawn)) == [3, 4]

    at_home(recorded, body)


def test_d_starts_the_demo(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("d")

    choice = at_home(recorded, body)
    assert (choice.how, choice.words) == ("run", ("demo",))


def test_servers_and_sessions_that_come_later_are_listed_by_themselves(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.home.LOOK_S", 0.0)
    root = tmp_path / "sessions"
    shutil.copytree(recorded / "20261103-120000-first", root / "20261103-120000-first")

    async def body(home: Home) -> None:
        await home.until(lambda: any("vLLM" in row for row in home.listed))
        shutil.copytree(recorded / "20261104-130000-second", root / "20261104-130000-second")
        await home.until(lambda: any("second" in row for row in home.listed))

    at_home(root, body, later=[VLLM])


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_help_of_the_home_screen_says_its_keys_and_any_key_closes_it(recorded: Path, size) -> None:
    async def body(home: Home) -> None:
        await home.press("question_mark")
        shown = "\n".join(home.pilot.app.screen.query_one(Canvas).text)
        assert "ask every server again" in shown
        assert "it died before it was summed up" in shown
        assert all(words in shown for _, words in (*KEYS, *WORDS))
        await home.press("d")
        assert home.pilot.app.screen is home.screen

    assert at_home(recorded, body, size=size).how == "quit"


def test_a_click_opens_a_line(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.pilot.click(RowList, offset=(5, 4))
        await home.pilot.pause()

    assert at_home(recorded, body).directory == recorded / "20261103-120000-first"


def test_a_directory_that_cannot_be_listed_any_more_has_no_sessions(tmp_path: Path) -> None:
    no_directory = tmp_path / "sessions"
    no_directory.write_text("in the way")
    assert list(_sources(no_directory).sessions()) == []


def test_letters_that_came_with_the_slash_are_words_and_start_nothing(recorded: Path) -> None:
    """As over a slow line: they are here before the filter is."""

    async def body(home: Home) -> None:
        for key, character in (("slash", "/"), ("d", "d"), ("q", "q")):
            home.pilot.app.post_message(events.Key(key, character))
        await home.pilot.pause()
        await home.pilot.pause()
        await home.press("s")
        assert home.screen.query_one("#filter", Input).value == "dqs"

    assert at_home(recorded, body).how == "quit"


def test_ctrl_c_leaves_a_field_whose_text_is_marked_and_copies_nothing(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("u", "tab", "tab")
        assert home.pilot.app.focused is not None
        await home.press("ctrl+c")
        assert home.pilot.app.screen is home.screen
        await home.press("slash", *"fir", "shift+home", "ctrl+c")
        assert home.pilot.app.clipboard == ""

    assert at_home(recorded, body).how == "quit"


def test_b_marks_what_the_next_session_is_held_against_and_b_again_takes_it_away(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.press("b")
        marked, other = home.listed[3:]
        assert marked.startswith(" □ 11-04")
        assert other.startswith("   11-03")
        assert "against 20261104-130000-second" in home.text("#head")
        await home.press("b")
        assert home.listed[3].startswith("   11-04")
        assert "against" not in home.text("#head")
        await home.press("b", "j", "enter")

    chosen = at_home(recorded, body)
    assert (chosen.how, chosen.directory) == ("session", recorded / "20261103-120000-first")
    assert chosen.home.base is not None
    assert chosen.home.base.directory == recorded / "20261104-130000-second"


def test_a_session_that_is_held_against_another_opens_with_its_curve(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str | None]] = []

    def instead(view: SessionView, _: object, **more: Any) -> str:
        base = view.curve.baseline
        opened.append((more["opens"], None if base is None else base.name))
        view.curve.close_baseline()
        return "quit"

    monkeypatch.setattr("tui.screens.app.run_screen", instead)
    first, second = recorded / "20261103-120000-first", recorded / "20261104-130000-second"
    for against in (None, second, first, recorded / "gone"):
        show_replay(first, AS_EVER, nicer=False, against=against)
    assert opened == [("overview", None), ("curve", second.name), ("overview", None), ("overview", None)]


WIDE = (120, 40)


def test_beside_a_session_its_course_is_drawn_once_the_cursor_rests_there(recorded: Path) -> None:
    read: list[Path] = []

    def course_of(directory: Path) -> Course:
        read.append(directory)
        return Course(65.0, np.full(60, 120.0), np.linspace(1.0, 9.0, 60))

    async def body(home: Home) -> None:
        await home.until(lambda: "over the run" in home.text("#preview"))
        rows = home.text("#preview").splitlines()
        assert any("TTFT p95" in row for row in rows)
        assert any(row.split()[-1:] == ["01:05"] for row in rows)
        assert read == [recorded / "20261104-130000-second"]
        await home.press("down")
        await home.until(lambda: len(read) == 2)
        await home.press("up")
        await home.pilot.pause(0.3)
        assert len(read) == 2

    at_home(recorded, body, size=WIDE, course=course_of)


def test_a_session_without_a_course_and_a_small_screen_have_no_chart(recorded: Path) -> None:
    async def body(home: Home) -> None:
        await home.pilot.pause(0.3)
        assert "over the run" not in home.text("#preview")

    at_home(recorded, body, size=WIDE)
    at_home(recorded, body, course=lambda _: Course(65.0, np.full(60, 120.0), np.full(60, 5.0)))


@pytest.mark.parametrize("charset", ["braille", "ascii"])
@pytest.mark.parametrize("size", [(30, 3), (46, 12), (46, 30), (80, 50)])
def test_a_course_is_as_large_as_its_place(size: tuple[int, int], charset: str) -> None:
    width, height = size
    theme = Theme(charset=charset)
    gaps = np.where(np.arange(40) % 3 == 0, np.nan, 700.0)
    for target_ms in (None, 500.0, 1e6):
        rows = course_rows(Course(3700.0, gaps, np.zeros(40)), width, height, theme, target_ms)
        assert len(rows) <= height
        assert all(cell_len("".join(text for text, _ in row)) <= width for row in rows)
        roles = {role for row in rows for _, role in row}
        assert ("over95" in roles) == (bool(rows) and target_ms == 500.0)
        if charset == "ascii":
            assert all(text.isascii() for row in rows for text, _ in row)


def test_columns_are_as_wide_as_what_stands_in_them_and_a_line_as_the_list() -> None:
    def one(name: str, model: str) -> Item:
        return Item(name, session=Digest(Path(f"20261126-094719-{name}"), "ended", model=model))

    long = [one("run", "llama-3.1-70b-fp8"), one("a", "sim")]
    at = columns(long, 72)
    assert at.model > len("llama-3.1-70b-fp8")
    assert at.name > len("run")
    for width in (20, 40, 60, 72, 80, 120, 200):
        for items in (long, [one("n" * 90, "m" * 90)], []):
            at = columns(items, width)
            for item in items:
                text = "".join(part for part, _ in item_row(item, width, Theme(), at))
                assert cell_len(text) == width
                if width >= 72 and items is long:
                    assert item.session is not None
                    assert item.session.model in text


def test_no_model_is_cut_before_the_blanks_between_columns_are() -> None:
    config = RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig(rate_rps=1234.5))
    one = Digest(Path("20261126-094719-tight"), "ended", model="llama-3.1-70b-fp8", config=config)
    item, heading = Item("x", session=one), Item("sessions", heading="recorded sessions  1")
    for width in (72, 75, 80, 120):
        at = columns([item], width)
        row, heads = ("".join(t for t, _ in item_row(each, width, Theme(), at)) for each in (item, heading))
        assert "llama-3.1-70b-fp8 " in row
        assert one.load + " " in row
        assert heads.index("TTFT p95") == row.index("-", row.index(one.load))
        assert heads.index("load") == row.index(one.load)
        assert (len(row), len(heads)) == (width, width)
    narrowest = columns([item], 15 + 10 + len("tight llama-3.1-70b-fp8 TTFT p95 ") + len(one.load) + 1)
    assert (narrowest.name, narrowest.model) == (6, 18)


@pytest.mark.parametrize("model", ["", "m", "opt", "llama-3.1-70b-fp8", "m" * 90])
@pytest.mark.parametrize("loads", [(), ("5 rps",), ("1,234.5 rps", "")])
@pytest.mark.parametrize("width", [60, 66, 72, 80, 100, 200])
def test_each_name_of_a_column_stands_alone_above_what_it_names(model, loads, width) -> None:
    """Without a load: not read yet, or unreadable."""
    rates = [float(load.split()[0].replace(",", "")) if load else None for load in loads] or [None]
    target = TargetConfig("http://127.0.0.1:1")
    configs = [None if rate is None else RunConfig(target, LoadConfig(rate_rps=rate)) for rate in rates]
    digests = [
        Digest(Path("20261126-094719-x"), "ended", model=model if config else "", config=config)
        for config in configs
    ]
    items = [Item("x", session=one) for one in digests]
    heading = Item("sessions", heading="recorded sessions  1")
    at = columns(items, width)
    heads = "".join(text for text, _ in item_row(heading, width, Theme(), at))
    load_starts = 15 + at.name + at.model
    assert cell_len(heads) == width
    assert heads.index("TTFT p95") == load_starts + at.load
    named = heads.replace("recorded sessions", "").replace("TTFT p95", "p95").split()
    assert set(named) <= {"1", "model", "load", "p95"}, heads
    assert ("load" in named) == (at.load > 0), heads
    assert "load" not in named or heads.index("load") == load_starts
    assert at.model or "model" not in named


def test_what_a_target_came_to_has_its_unit_and_the_word_of_the_list() -> None:
    target = {"target": "ttft.p95<500ms", "figure": 3870.6, "verdict": "fail"}
    said = {
        "load_s": 25.0,
        "duration_s": 30.0,
        "valid": True,
        "slo": {"verdict": "fail", "targets": [target]},
    }
    summary = msgspec.convert(said, StoredSummary)
    config = RunConfig(TargetConfig("http://127.0.0.1:1"), LoadConfig(rate_rps=12.0))
    item = Item("x", session=Digest(Path("x"), "ended", config=config, summary=summary))
    rows = ["".join(text for text, _ in row) for row in preview_rows(item, 60, 20, Theme())]
    assert any(row.strip() == "ttft.p95<500ms  3,871 ms  missed" for row in rows)
    assert any("12 rps for 25 s" in row for row in rows)


@pytest.mark.parametrize("opens", ["question_mark", "u"])
def test_keys_that_come_together_leave_what_lies_over_the_list_once(recorded: Path, opens: str) -> None:
    """As over a slow line: the second one is here before the first has closed it."""

    async def body(home: Home) -> None:
        await home.press(opens)
        over = home.pilot.app.screen
        assert over is not home.screen
        for _ in range(3):
            home.pilot.app.post_message(events.Key("escape", "\x1b"))
        for _ in range(3):
            await home.pilot.pause()
        assert home.pilot.app.screen is home.screen
        assert home.pilot.app.screen_stack[-1] is home.screen
        await home.press("question_mark", "x")

    assert at_home(recorded, body, servers=[VLLM]).how == "quit"


def test_a_run_is_started_once_by_keys_that_come_together(recorded: Path) -> None:
    started: list[object] = []

    async def body(home: Home) -> None:
        home.screen._leave = lambda how, **more: started.append((how, more))  # type: ignore[method-assign]
        await home.press("home", "enter")
        assert home.pilot.app.screen is not home.screen
        for _ in range(3):
            home.pilot.app.post_message(events.Key("enter", "\r"))
        for _ in range(3):
            await home.pilot.pause()
        assert home.pilot.app.screen is home.screen

    at_home(recorded, body, servers=[VLLM])
    assert [how for how, _ in started] == ["run"]

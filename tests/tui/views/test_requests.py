"""The view of requests and one of them opened, on a timeline made of records, at every size."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from loadgen.records import Request, RequestError
from sessions.frame.request_list import CHOICES
from telemetry.records import GpuSample, GpuSamples, ServerSample
from tests.sessions.conftest import START_NS, Maker, make
from tests.tui.made_up_run import FakeView, S, ramped
from tests.tui.views.test_overview import SIZES, frame_of
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.draw import layout
from tui.draw.rows import width_of
from tui.draw.theme import ROLES, Theme
from tui.panels.strip import marks_of
from tui.views.requests import Requests
from tui.views.view import Drawing
from tui.views.views import whole, within

AT = 90.0
EVIL = "\x1b[2J\u202e\u200bevil\x9b31m" + "x" * 300


@pytest.fixture
def make_run() -> Maker:
    return make


def view_of(requests: list[Request], at_s: float = AT, **more) -> FakeView:
    view = ramped(lambda: at_s, **more)
    for request in requests:
        view.add_request(request)
    for i in range(60):
        t_ns = START_NS + i * S // 4
        gpus = [GpuSample(f"a#{n}", util_pct=40.0 + n + i) for n in range(2)]
        view.timeline.apply(GpuSamples(t_ns, 0, "nvml:a", gpus))
        view.timeline.apply(ServerSample(t_ns, 0, "s", kv_pct=float(i), waiting=2.0 * i, running=7.0))
    return view


def drawing_of(view: FakeView, size=(120, 40), at_ns: int | None = None, **more) -> Drawing:
    width, height = size
    frame = replace(frame_of(view, width, at_ns), live=more.pop("live", False))
    state = ScreenState(**({"playhead": Playhead(at_ns=frame.at_ns), "view": "requests"} | more))
    at = layout.columns_for(width)
    return Drawing(frame, view, state, {}, width, height, at, marks_of(frame, at.plot))


def screen(view: FakeView, shown: Requests, size=(120, 40), at_ns: int | None = None, **more) -> list[str]:
    drawing = drawing_of(view, size, at_ns, **more)
    rows = whole(drawing, shown)
    assert [width_of(row) for row in rows] == [size[0]] * size[1]
    assert all(role in ROLES for row in rows for _, role in row)
    return ["".join(text for text, _ in row) for row in rows]


def some(make_run: Maker) -> list[Request]:
    requests = list(make_run(failing=0.1, seconds=14.0).requests)
    requests[3].error = RequestError("unfinished", "the run ended first")
    return requests


def pressed(shown: Requests, view: FakeView, *actions: str, at_ns: int | None = None) -> Requests:
    for action in actions:
        after = shown.pressed(action, within(drawing_of(view, at_ns=at_ns))).view
        assert isinstance(after, Requests)
        shown = after
    return shown


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_every_size_is_filled_exactly_whatever_a_server_or_a_file_says(
    make_run: Maker, size, charset
) -> None:
    requests = some(make_run)
    for request in requests[::3]:
        request.error = RequestError(EVIL, EVIL)
        request.tags = (EVIL, EVIL)
        request.finish_reason = request.token_source = EVIL
    view = view_of(requests, evil=EVIL)
    theme = Theme(charset=charset)
    for choice in CHOICES:
        shown = Requests(choice)
        text = "\n".join(screen(view, shown, size, theme=theme))
        assert "\x1b" not in text
        assert "\u202e" not in text
        shown = pressed(shown, view, "open")
        text = "\n".join(screen(view, shown, size, theme=theme))
        assert "\x1b" not in text
    assert all(len(row) for row in screen(view_of([]), Requests(), size, theme=theme))


def test_a_row_says_what_became_of_a_request_and_its_bar_has_its_phases() -> None:
    good = Request(
        *(7, 1, 10 * S),
        sent_ns=12 * S,
        headers_ns=13 * S,
        first_token_ns=14 * S,
        last_token_ns=20 * S,
        end_ns=20 * S,
        chunks=3,
        gaps_us=[1_500_000, 4_500_000],
        input_tokens=256,
        cached_tokens=12_800,
        output_tokens=3,
    )
    bad = Request(8, 0, 11 * S, sent_ns=11 * S, end_ns=16 * S, error=RequestError("http_500", "no"))
    lost = Request(9, 0, 12 * S, end_ns=17 * S, error=RequestError("unfinished"))
    rows = screen(view_of([good, bad, lost]), Requests(), (160, 40))
    head = next(i for i, row in enumerate(rows) if "TTFT" in row and "E2E" in row)
    (first, second, third) = (row.split() for row in rows[head + 1 : head + 4])  # the newest first
    assert first[:9] == ["▶", "00:10.00", "-", "-", "-", "5.00s", "-", "-", "-"]
    assert second[:3] == ["00:09.00", "-", "-"]
    assert "http_500" in second
    assert first[12:14] == ["cut", "off"]
    assert third[:11] == ["00:08.00", "4.00s", "3.00s", "4.50s", "10.0s", "256", "12.8k", "3", "-", "1", "7"]
    assert third[11] == "ok"
    bar = rows[head + 3].rstrip()
    width = 160 - rows[head].index("0─")
    parts = [bar.count(glyph) for glyph in "·─━"]
    assert parts == [round(width * share) for share in (0.2, 0.2, 0.6)]
    assert rows[head + 2].rstrip().endswith("─✗")
    assert re.search("0─+10s$", rows[head])


def test_only_what_was_known_at_the_playhead_is_shown_live_and_in_a_replay_alike(make_run: Maker) -> None:
    requests = some(make_run)
    at_ns = START_NS + 7 * S
    known = [request for request in requests if request.end_ns <= at_ns]
    for choice in CHOICES[:-1]:
        for order in ("time", "E2E"):
            then = screen(view_of(known), Requests(choice, order), at_ns=at_ns)
            later = screen(view_of(requests), Requests(choice, order), at_ns=at_ns)
            assert then == later
    flying = [r for r in requests if r.sent_ns is not None and r.sent_ns <= at_ns < r.end_ns]
    rows = screen(view_of(requests), Requests("in flight"), at_ns=at_ns)
    assert sum(" in flight " in row for row in rows[6:]) == len(flying)
    assert not any(" ok " in row for row in rows[6:])
    none = "\n".join(screen(view_of(known), Requests("in flight"), at_ns=at_ns))
    assert "a request's line is written when it ends" in none


def test_an_opened_one_that_is_still_in_flight_shows_nothing_of_what_came_later(make_run: Maker) -> None:
    requests = some(make_run)
    one = max(requests, key=lambda request: len(request.gaps_us) * (request.error is None))
    assert one.first_token_ns is not None
    at_ns = one.first_token_ns + one.gaps_us[0] * 1000 + 1
    view = view_of(requests)
    shown = Requests("in flight")
    while shown.opened is None or shown.opened.index != one.index:
        shown = pressed(shown, view, "open" if shown.opened is None else "row_next", at_ns=at_ns)
    rows = screen(view, shown, at_ns=at_ns)
    text = "\n".join(rows)
    assert "in flight" in rows[4]
    assert "so far" in text
    assert "to end" not in text
    assert f"max gap {one.gaps_us[0] / 1e3:.1f}" in text
    assert " out " not in rows[5]


def test_the_opened_request_says_when_each_phase_and_gap_was_and_what_others_did() -> None:
    one = Request(
        *(41, 2, 10 * S),
        sent_ns=10 * S + S // 10,
        headers_ns=10 * S + S // 5,
        first_token_ns=11 * S,
        last_token_ns=14 * S,
        end_ns=14 * S,
        status=200,
        finish_reason="stop",
        chunks=3,
        gaps_us=[2_500_000, 500_000],
        input_tokens=300,
        output_tokens=3,
        conversation=5,
        turn=1,
        tags=("long",),
    )
    for size in ((80, 24), (120, 40), (200, 60)):
        view = view_of([one])
        text = "\n".join(screen(view, pressed(Requests(), view, "open"), size))
        for words in (
            *("REQUEST 41", "ok stop", "HTTP 200", "worker 2", "conversation 5 turn 2"),
            *("due 00:08.00", "TTFT 1.00s", "max gap 2.50s", "mean 1.50s", "E2E 4.00s"),
            *("in 300", "out 3", "100 ms", "longest gaps ms"),
            *("to headers", "to first token", "to last token", "2 GPUs util %", "KV cache %", "waiting"),
            *(" 2.50s 00:11.50  +3.50s chunk 2", " 500 00:12.00  +4.00s chunk 3"),
        ):
            assert words in text, (size, words)
    shown = pressed(Requests(), view, "open")
    assert shown.pressed("open", within(drawing_of(view))).seek_ns == 14 * S
    assert pressed(shown, view, "escape").opened is None
    assert pressed(Requests(), view, "escape") == Requests()


def test_the_error_of_a_failed_one_is_told_and_its_phase_ends_in_a_cross() -> None:
    one = Request(
        3, 0, 10 * S, sent_ns=10 * S, end_ns=12 * S, error=RequestError("http_500", "out of memory")
    )
    bare = Request(4, 0, 11 * S, sent_ns=11 * S, end_ns=12 * S, error=RequestError("headers_timeout"))
    view = view_of([one, bare])
    text = "\n".join(screen(view, pressed(Requests(), view, "row_next", "open")))
    assert "http_500" in text
    assert "out of memory" in text
    assert re.search("to headers ─+✗ +2.00s failed", text)
    text = "\n".join(screen(view, pressed(Requests(), view, "open")))
    assert "no response headers within the deadline" in text


def test_f_and_s_lead_through_all_choices_and_orders(make_run: Maker) -> None:
    view = view_of(some(make_run))
    shown, seen = Requests(), []
    for _ in CHOICES:
        seen.append((shown.choice, shown.order))
        shown = pressed(shown, view, "filter")
    assert seen == [
        *(("all", "time"), ("slowest TTFT", "TTFT"), ("slowest E2E", "E2E"), ("failed", "time")),
        *(("cut off", "time"), ("in flight", "time")),
    ]
    assert shown == Requests()
    orders = []
    for _ in range(5):
        shown = pressed(shown, view, "sort")
        orders.append(shown.order)
    assert orders == ["TTFT", "E2E", "longest gap", "tokens", "time"]


def test_the_cursor_stays_within_the_list_and_in_sight(make_run: Maker) -> None:
    requests = some(make_run)
    view = view_of(requests)
    shown = pressed(Requests(), view, "row_previous", "page_previous")
    assert shown.at == 0
    shown = pressed(shown, view, *["page_next"] * 40)
    assert shown.at == len(requests) - 1
    rows = screen(view, shown)
    assert sum("▶ " in row for row in rows[5:]) == 1
    assert "▶ " in [row for row in rows if re.match(r"(▶| ) +\d\d:\d\d\.\d\d", row)][-1]


def test_while_lines_are_read_the_screen_says_how_far(make_run: Maker) -> None:
    view = view_of(some(make_run))
    view.requests_read = 0.437
    assert screen(view, Requests())[4].rstrip().endswith("reading requests 43 %")
    nothing = view_of([])
    nothing.requests_read = 0.0
    assert "their lines are being read" in "\n".join(screen(nothing, Requests()))


def test_one_whose_line_is_looked_for_or_lost_says_so(make_run: Maker) -> None:
    view = view_of(some(make_run))
    shown = pressed(Requests(), view, "open")
    view.lines.clear()
    assert "looking for it in the files" in "\n".join(screen(view, shown))

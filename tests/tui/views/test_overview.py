"""The screen as rows, without any terminal: what stands where at every size."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sessions.bottleneck.rules import NAMES
from sessions.frame.schema import Cause, ChartMark, Frame, Host, Limit, PlanProgress, Power, Server, Stat
from sessions.frame.search import SearchProgress
from sessions.steady.verdict import Window
from sessions.timeline.attained import Attained
from tests.tui import made_up_run
from tests.tui.made_up_run import START_NS, FakeView, S, ramped
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.controls.shown_axis import LaterFrames, shown_axis
from tui.controls.time_window import column_ns, drawn_label
from tui.draw import layout
from tui.draw.paged_axis import PAGE, now_at_right_ns, page_of, young_column_ns
from tui.draw.rows import width_of
from tui.draw.text import safe
from tui.draw.theme import ROLES, Theme
from tui.views.help import help_rows
from tui.views.overview import compose, scales_for

SIZES = [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60), (61, 17), (300, 20), (70, 90)]


def frame_of(view: FakeView, width: int, at_ns: int | None = None) -> Frame:
    """As the session screen asks for it."""
    at_ns = view.last_ns if at_ns is None else at_ns
    state = ScreenState(playhead=Playhead(at_ns=at_ns))
    return shown_axis(view, state, layout.overview_columns(width).plot).frame(view, at_ns)


def paged(view: FakeView, at_ns: int, slot_ns: int, plot: int) -> Frame:
    return view.frame(at_ns, slot_ns * plot, plot, now_at_right_ns(at_ns, slot_ns, plot))


def screen(view: FakeView, size=(80, 24), *, frame: Frame | None = None, **more) -> list[str]:
    width, height = size
    frame = frame or frame_of(view, width)
    screen_state = ScreenState(**({"playhead": Playhead(at_ns=frame.at_ns)} | more))
    rows = compose(frame, screen_state, scales_for(frame, screen_state, {}), width, height)
    assert [width_of(row) for row in rows] == [width] * height
    assert all(part in ROLES for row in rows for _, role in row for part in role.split("/"))
    return ["".join(text for text, _ in row) for row in rows]


def at(seconds: float):
    return lambda: seconds


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gpus", [0, 1, 2, 3, 8, 17, 72])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_every_size_and_number_of_gpus_fills_the_screen_exactly(size, gpus, charset):
    shown = screen(ramped(at(90), gpus=gpus), size, theme=Theme(charset=charset))
    assert any("TTFT" in row for row in shown)
    assert any("ITL" in row for row in shown)
    assert "help" in shown[-1]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("gpus", [1, 2, 8])
def test_every_gpu_is_on_the_screen(size, gpus):
    text = "\n".join(screen(ramped(at(90), gpus=gpus), size))
    assert all(re.search(rf"(GPU|[│ ]|^){index} .* \d+%", text, re.MULTILINE) for index in range(gpus))
    assert text.count("°C") >= gpus
    assert text.count("W") >= gpus


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_main_figures_are_there_at_both_sizes(size):
    text = "\n".join(screen(ramped(at(90)), size))
    for word in (
        "SIMULATED",
        "LIVE",
        "20.0 rps",
        "IN FLIGHT",
        "done",
        "errors",
        "p50",
        "p95",
        "p99",
        "TOKENS/S",
    ):
        assert word in text
    for word in (
        "REQ/S",
        "sent",
        "KV",
        "run",
        "wait",
        f"{layout.overview_columns(size[0]).plot}s",
        "26 → 20 rps",
        "00:30",
        "01:00",
    ):
        assert word in text


@pytest.mark.parametrize("size", SIZES)
def test_no_figure_of_the_load_stands_on_the_screen_twice(size):
    text = "\n".join(screen(ramped(at(90), gpus=0), size)).lower()
    for word in ("20.0 rps", "in flight", "sent ", "backlog", "errors"):
        assert text.replace("26 → 20 rps", "").count(word) <= 1, word


def test_thin_percentiles_carry_a_tilde():
    # At 90 s 20 per second are offered: 200 in ten seconds, under the 662 that a p99 needs.
    row = next(row for row in screen(ramped(at(90))) if "TTFT ms" in row)
    assert re.search(r"p95 \d.* p99 ~\d", row)


def test_several_tokens_a_chunk_are_labelled_as_a_chunk_gap():
    text = "\n".join(screen(ramped(at(90), chunk_gap=True)))
    assert "CHUNK GAP" in text
    assert "ITL ms" not in text


def test_where_answers_have_no_tokens_those_that_go_in_are_drawn():
    view = ramped(at(90))
    for size in ((80, 24), (120, 40)):
        frame = replace(frame_of(view, size[0]), input_tps=5806.0, output_tps=0.0)
        (said,) = (
            row for row in screen(view, size, frame=replace(frame, only_input=True)) if "TOKENS/S" in row
        )
        assert "TOKENS/S 5806 in" in said
        (said,) = (row for row in screen(view, size, frame=frame) if "TOKENS/S" in row)
        assert "TOKENS/S 0 out" in said


def test_preemptions_are_told_whole_with_their_name_at_every_size():
    for size in ((80, 24), (80, 30), (80, 50), (120, 40)):
        view = ramped(at(75))
        frame = frame_of(view, size[0])
        frame = replace(frame, server=replace(frame.server, preemptions_per_s=2.5))
        rows = screen(view, size, frame=frame)
        assert sum(bool(re.search(r" pre(empt)? 2\.5/s( |$)", row)) for row in rows) == 1
        assert not any(re.search(r" p(r|re|ree)?$", row.rstrip()) for row in rows)


def test_every_key_of_the_load_and_of_the_views_stands_in_the_footer_at_80_columns():
    for charset in ("braille", "ascii"):
        footer = screen(ramped(at(30)), (80, 24), theme=Theme(charset=charset))[-1]
        for word in ("rate", "KJ ±10", "set", "hold", "stop", "mark", "1-7 views", "? help", "q quit"):
            assert (word if charset == "braille" else word.replace("±", "")) in footer
        wide = screen(ramped(at(30)), (100, 24), theme=Theme(charset=charset))[-1]
        assert "w span" in wide
        assert "l lin" in wide
        assert "l log" in screen(ramped(at(30)), (100, 24), theme=Theme(charset=charset), log=False)[-1]


def test_a_long_note_about_gpus_is_two_dim_rows_and_then_an_ellipsis():
    view = ramped(at(90), gpus=0)
    frame = replace(frame_of(view, 80), gpu_note="a sentence about a driver that goes on " * 5)
    first, second = [row for row in screen(view, frame=frame) if "a sentence" in row]
    assert first.rstrip()[-1].isalpha(), "a whole word"
    assert second.rstrip().endswith("…")
    rows = layout.plain_rows(24, layout.Shape(gpu_note=190, machines=True))
    assert (rows["gpus"], rows["machines"]) == (2, 1), "the machine has its row all the same"
    short = replace(frame_of(view, 80), gpu_note="no driver on this machine")
    rows = screen(view, frame=short)
    assert rows[[("no driver" in row) for row in rows].index(True) + 1].strip(), "no row is left empty for it"


def test_the_words_of_a_warning_do_not_hide_those_of_the_load_beside_it():
    view = ramped(at(30))
    for offset in (-1, 0, 1):
        view.marks = [
            ChartMark(2 * S, None, "load", "start at 4 rps"),
            ChartMark(2 * S + offset * S, None, "warning", "no NVIDIA driver"),
        ]
        assert any("start at 4 rps" in row for row in screen(view, (120, 40))[:8])


def test_a_server_that_says_nothing_of_its_cache_shows_its_queue():
    view = ramped(at(75))
    frame = frame_of(view, 80)
    never = np.full(len(frame.offered), np.nan)
    for kv in (None, never):
        silent = replace(frame, server=replace(frame.server, kv=kv, kv_pct=None))
        rows = screen(view, frame=silent)
        assert not any("KV" in row for row in rows[:20])
        assert any("SERVER run 96 wait 38" in row for row in rows)


def test_an_event_that_is_longer_than_its_row_ends_in_an_ellipsis():
    view = ramped(at(30))
    view.marks = [ChartMark(3 * S, None, "warning", "a long story about a driver " * 5)]
    (row,) = [row for row in screen(view) if "WARNING" in row]
    assert row.endswith("…")


def test_help_explains_stale_connections_and_a_saturated_client():
    text = "\n".join("".join(part for part, _ in row) for row in help_rows(80, 100, ScreenState()))
    assert re.search(r"stale  kept-alive connections found closed: sent again", text)
    assert "CLIENT SATURATED: the figures are this client's own limit" in text


def test_help_explains_a_bound_and_the_means_of_the_limit():
    text = "\n".join("".join(part for part, _ in row) for row in help_rows(80, 100, ScreenState()))
    assert "<=250: 250 at most" in text
    assert "the figures behind the limit are means of the last 3 s" in text


@pytest.mark.parametrize(("charset", "arrow"), [("braille", "→"), ("ascii", "->")])
def test_a_change_of_load_has_an_arrow_and_no_greater_than(charset, arrow):
    view = ramped(at(75))
    rows = screen(view, (120, 40), theme=Theme(charset=charset))
    assert any(f"20 {arrow} 26 rps" in row for row in rows)
    assert not any("20 > 26" in row for row in rows)


def test_a_change_of_load_of_an_old_session_keeps_its_words():
    view = ramped(at(75))
    view.marks = [ChartMark(70 * S, None, "load", "20 > 26 rps")]
    assert any("20 > 26 rps" in row for row in screen(view, (120, 40)))


def test_why_there_is_no_gpu_is_said_once():
    view = ramped(at(75), gpus=0)
    view.marks.append(
        ChartMark(1 * S, None, "warning", "no NVIDIA driver here (libnvidia-ml.so.1 not found)")
    )
    for size in SIZES:
        text = "\n".join(screen(view, size))
        assert text.count("no NVIDIA driver") == 1, size


def test_where_answers_have_no_tokens_the_overview_is_of_whole_answers():
    view = ramped(at(75))
    plain = frame_of(view, 120)
    e2e = replace(plain.ttft_recent, p95_ms=777.0)
    frame = replace(plain, only_input=True, e2e=plain.ttft, e2e_recent=e2e, e2e_run=e2e)
    rows = screen(view, (120, 40), frame=frame)
    assert "E2E p95 777" in rows[0]
    assert "TTFT" not in rows[0]
    assert any("E2E ms" in row for row in rows)
    assert any("answers have no tokens" in row for row in rows)


def test_an_event_of_the_limit_says_headroom():
    view = ramped(at(75))
    view.marks = [ChartMark(70 * S, None, "limit", "binds: headroom  queue 0, KV 3 %")]
    assert any("headroom  queue 0, KV 3 %" in row for row in screen(view, (200, 60)))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_while_the_probe_waits_the_screen_says_for_what_how_long_and_how_to_leave(size):
    frame = replace(frame_of(ramped(at(0)), size[0]), state="probing", live=True)
    rows = screen(ramped(at(0)), size, frame=frame, silent_s=72.0)
    assert "waiting for the server to answer the probe: 72 s" in rows[2]
    assert rows[2].rstrip().endswith("q leaves")
    assert "no data" not in rows[0]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((80, 24), " draining 12 answers, at most 59:48 more"),
        ((120, 40), " the load is over: draining 12 answers, at most 59:48 more"),
    ],
)
def test_while_answers_are_waited_for_the_screen_says_how_many_how_long_and_how_to_cut_them_off(size, words):
    frame = frame_of(ramped(at(90)), size[0])
    draining = replace(
        frame, state="draining", live=True, in_flight=12, drains_until_ns=frame.at_ns + (3588 * S)
    )
    rows = screen(ramped(at(90)), size, frame=draining)
    assert rows[2].startswith(words)
    assert rows[2].rstrip().endswith("Q a cuts them off")
    last = replace(draining, in_flight=0)
    assert "draining" not in screen(ramped(at(90)), size, frame=last)[2]


def test_what_the_end_of_the_run_cut_off_is_counted_apart_from_errors():
    frame = replace(frame_of(ramped(at(90)), 120), cut_off=7, failed=0, errors={})
    row = screen(ramped(at(90)), (120, 40), frame=frame)[1]
    assert "cut off 7" in row
    assert "errors 0" in row


def known(view: FakeView, width: int) -> Frame:
    """All that telemetry can tell, of as many GPUs as the view has; only the first serves."""
    frame = frame_of(view, width)
    gpus = [
        replace(
            gpu,
            sm_pct=71.0,
            tensor_pct=40.0,
            dram_pct=88.0,
            memory_temperature_c=84.0,
            sm_clock_max_mhz=1980.0,
            throttle=("power cap",),
            throttled_pct=12.0,
            pcie_bytes_per_s=1.2e9,
            nvlink_bytes_per_s=212e9,
            serving=not i,
            excluded="hidden" if i else "",
            processes=(("vllm serve", 4711, 74 * 2**30), ("", 4712, None)),
        )
        for i, gpu in enumerate(frame.gpus)
    ]
    own = Stat(90, 101.0, 202.0, 303.0)
    server = replace(frame.server, prefix_hit_pct=41.0, preemptions_per_s=2.5, ttft=own)
    return replace(
        frame, gpus=tuple(gpus), server=server, hosts=(Host("node7", 45.0, 64, 12.0),), poll_ms=3.1
    )


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_all_that_is_known_of_the_machines_can_be_read_at_every_size(size):
    view = ramped(at(75), gpus=1)
    text = "\n".join(screen(view, size, frame=known(view, size[0]), details=True))
    for words in (
        *("SM 71 %", "tensor 40 %", "DRAM 88 %", "reserved 0.6", "NVLink 212 GB/s", "PCIe 1.20 GB/s"),
        *("held back by power cap 12% of the time", "memory 84 °C", "SM clock 1755/1980 MHz"),
        *("● serves the model", "vllm serve 74.0 GiB pid 4711", "process pid 4712", "prefix hit 41 %"),
        *("preemptions 2.5 /s", "TTFT p50 101  p95 202  p99 303", "node7", "CPU 45%", "took 3.10 ms"),
        *("26.0 rps", "binds:", "quit"),
    ):
        assert words in text


def test_what_is_only_a_bound_is_one_beside_the_machines_too():
    view = ramped(at(75), gpus=1)
    frame = known(view, 80)
    bound = replace(frame.server.ttft, bounds=frozenset({"p50", "p95"}))
    frame = replace(frame, server=replace(frame.server, ttft=bound))
    text = "\n".join(screen(view, (80, 24), frame=frame, details=True))
    assert "TTFT p50 <=101  p95 <=202  p99 303" in text


@pytest.mark.parametrize(
    "words", ["of what was found, a word of it was left out ", "見つけたもの 全部ここに 書いてある "]
)
def test_what_happened_is_told_with_all_its_words_beside_the_machines(words: str) -> None:
    view = ramped(at(75), gpus=1)
    view.marks.append(ChartMark(70 * S, None, "note", words * 4))
    rows = screen(view, (80, 24), details=True)
    assert all(width_of([(row, "")]) == 80 for row in rows)
    begin = next(i for i, row in enumerate(rows) if " note " in row)
    told = rows[begin][19:].rstrip() + " " + " ".join(row.strip() for row in rows[begin + 1 :])
    assert " ".join((words * 4).split()) in told


@pytest.mark.parametrize("height", range(12, 24))
def test_where_there_is_no_room_for_all_words_the_newest_event_still_says_when_and_what(height: int) -> None:
    view = ramped(at(75), gpus=1)
    view.marks.append(ChartMark(70 * S, None, "warning", "a figure that should be known is left out " * 6))
    happened = [row for row in screen(view, (60, height), details=True) if "left out" in row]
    assert bool(happened) == (height > 17)
    assert not happened or "WARNING a figure that should" in happened[0]


def test_a_change_of_load_of_five_digits_is_not_cut_beside_its_line() -> None:
    view = ramped(at(75), closed_loop=True)
    view.marks[:] = [ChartMark(40 * S, None, "load", "concurrency 10000 -> 65536")]
    assert re.search(r"╷(concurrency 10000 → )?65536 ", screen(view, (80, 24))[4])


@pytest.mark.parametrize(("size", "gpus"), [((80, 24), 8), ((120, 40), 8), ((80, 24), 17), ((60, 16), 72)])
def test_of_many_gpus_the_essential_is_kept_and_those_left_out_are_counted(size, gpus):
    view = ramped(at(75), gpus=gpus)
    rows = screen(view, size, frame=known(view, size[0]), details=True)
    shown = sum(bool(re.match(r" GPU\d+ ", row)) for row in rows)
    text = "\n".join(rows)
    assert shown + int(next(iter(re.findall(r"and (\d+) more GPUs", text)), 0)) == gpus
    assert text.count("serves the model") == 1
    assert text.count("hidden") == shown - 1


def test_a_gpu_that_serves_carries_a_dot_where_there_is_a_cell_for_it():
    view = ramped(at(75), gpus=3)
    rows = screen(view, (120, 40), frame=known(view, 120))
    assert any("│ 0 ●━" in row for row in rows)
    assert any("│ 1  ━" in row for row in rows)


@pytest.mark.parametrize("size", SIZES)
def test_in_ascii_every_glyph_of_ours_is_ascii(size):
    theme = Theme(charset="ascii")
    for more in ({}, {"details": True}, {"replay": True, "window_s": None}):
        rows = screen(ramped(at(90), gpus=2), size, theme=theme, **more)
        assert all(row.replace("…", ".").isascii() for row in rows)


def test_a_mark_hides_no_bar_and_is_a_line_on_the_charts():
    rows = screen(ramped(at(90), gpus=1), (120, 40))
    top = rows[4]
    column = next(i for i, letter in enumerate(top) if letter == "╷" and i > 12)
    drawn = [row[column] for row in rows[5:38]]
    assert drawn.count("┊") > 4
    for above, below in pairwise(drawn):
        assert not (above in "▁▂▃▄▅▆▇█" and below == "┊"), "a bar has no line below its top"


def test_gaps_of_no_length_do_not_stretch_the_logarithmic_chart():
    frame = frame_of(ramped(at(60)), 80)
    p50 = np.where(np.arange(len(frame.itl.p50)) % 3, frame.itl.p50, 0.001)
    zeros = replace(frame, itl=replace(frame.itl, p50=p50))
    screen_state = ScreenState(playhead=Playhead(at_ns=frame.at_ns))
    assert (
        scales_for(frame, screen_state, {})["itl"].low
        == scales_for(zeros, screen_state, {})["itl"].low
        == 10.0
    )
    assert any(row.startswith("<10ms") for row in screen(ramped(at(60)), frame=zeros))
    assert not any("<" in row[:6] for row in screen(ramped(at(60)), frame=frame))


def test_without_a_gpu_one_line_says_why_and_the_charts_get_the_room():
    with_gpus, without = (
        layout.plain_rows(24, layout.Shape(gpus=8)),
        layout.plain_rows(24, layout.Shape(gpu_note=True)),
    )
    assert (with_gpus["gpus"], without["gpus"]) == (5, 1)
    assert sum(without.values()) == sum(with_gpus.values())
    assert sum(without[name] for name in layout.CHARTS) == sum(with_gpus[name] for name in layout.CHARTS) + 4
    text = screen(ramped(at(90), gpus=0))
    assert sum("no NVIDIA driver here" in row for row in text) == 1


def test_a_saturated_client_is_said_across_the_screen():
    shown = screen(ramped(at(90), saturated=True, note="CPU 97 %"))
    assert any("CLIENT SATURATED: CPU 97 %" in row for row in shown)
    assert not any("SATURATED" in row for row in screen(ramped(at(90))))


def test_a_doubt_about_the_client_is_a_line_of_its_own():
    assert any("! client: send lag 8 ms" in row for row in screen(ramped(at(90), note="send lag 8 ms")))


def test_below_the_least_size_one_line_says_so():
    shown = screen(ramped(at(90)), (59, 16), frame=frame_of(ramped(at(90)), 60))
    assert "too small" in shown[0]
    assert "20.0 rps" in shown[1]
    assert not "".join(shown[2:]).strip()
    for size in ((40, 8), (12, 3), (1, 2)):
        screen(ramped(at(90)), size, frame=frame_of(ramped(at(90)), 60))
    screen(ramped(at(90)), (5, 1), frame=frame_of(ramped(at(90)), 60))


def test_a_run_with_nothing_yet_is_drawn_without_figures():
    text = "\n".join(screen(FakeView(at(0.5), nothing=True)))
    assert "starting" in text
    assert "nan" not in text.lower()


def test_the_past_of_a_live_run_says_how_far_back_it_is():
    view = ramped(at(90))
    frame = frame_of(view, 80, 60 * S)
    head = Playhead(at_ns=60 * S, following=False)
    assert "LIVE -00:30" in screen(view, frame=frame, playhead=head)[0]


def test_a_replay_says_so_and_shows_where_it_is():
    view = ramped(at(90), running=False)
    shown = screen(
        view, frame=frame_of(view, 80, 45 * S), replay=True, playhead=Playhead(45 * S, False, True, 4.0)
    )
    assert "REPLAY" in shown[0]
    assert "4x" in shown[0]
    assert "00:43 / 01:28" in shown[0]
    assert any("●" in row and "▲" in row for row in shown[1:])


def test_an_ended_or_killed_run_is_not_called_a_replay():
    assert "ENDED" in screen(ramped(at(90), running=False, state="ended"))[0]
    assert "KILLED" in screen(ramped(at(90), running=False, state="killed"))[0]


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
def test_a_change_of_load_ticks_every_latency_chart_at_the_same_column_and_is_never_over_data(size):
    view = FakeView(at(60), steps=[(2.0, 4.0)])
    view.marks = [made_up_run.ChartMark(30 * S, None, "load", "4 -> 5 rps")]
    frame = frame_of(view, size[0])
    screen_state = ScreenState(playhead=Playhead(at_ns=frame.at_ns))
    rows = compose(frame, screen_state, scales_for(frame, screen_state, {}), *size)
    at_columns = layout.overview_columns(size[0])
    slot = frame.marks[0].slot
    assert slot == (30 * S - frame.start_ns) // frame.slot_ns
    roles = [[role for text, role in row for _ in text][at_columns.gutter + slot] for row in rows]
    assert roles.count("line_load") == 2
    assert roles.count("faint") > 4
    elsewhere = [role for row in rows for text, role in row for cell in text if cell != " "]
    assert elsewhere.count("faint") == roles.count("faint")
    plain = compose(replace(frame, marks=()), screen_state, scales_for(frame, screen_state, {}), *size)
    for row, without in zip(rows, plain, strict=True):
        cells, bare = ([cell for text, _ in one for cell in text] for one in (row, without))
        if bare[at_columns.gutter + slot] in "▁▂▃▄▅▆▇█⣀⠤⠒⠉":
            assert cells[at_columns.gutter + slot] == bare[at_columns.gutter + slot]


def test_old_gpu_figures_say_how_old_they_are():
    view = ramped(at(90))
    frame = frame_of(view, 80)
    stale = replace(frame, gpus=(replace(frame.gpus[0], stale=True, age_s=12.4),))
    assert any("12s old" in row for row in screen(view, frame=stale))


def test_gpu_values_that_are_missing_are_dashes():
    view = ramped(at(90))
    frame = frame_of(view, 80)
    missing = replace(
        frame.gpus[0],
        util_pct=None,
        memory_used_bytes=None,
        memory_total_bytes=None,
        power_w=None,
        power_limit_w=None,
        temperature_c=None,
        sm_clock_mhz=None,
    )
    for size in SIZES:
        frame = frame_of(view, size[0])
        text = "\n".join(screen(view, size, frame=replace(frame, gpus=(missing,))))
        assert "None" not in text


def test_a_server_that_says_nothing_gets_no_row():
    view = ramped(at(90))
    frame = replace(frame_of(view, 80), server=Server())
    assert not any("KV" in row and "run" in row for row in screen(view, frame=frame))


def test_closed_loop_shows_its_concurrency_in_place_of_a_rate():
    assert screen(ramped(at(50), closed_loop=True))[0].startswith("▶ 16 concurrent")


def test_errors_of_one_kind_are_counted_once():
    frame = replace(frame_of(ramped(at(90)), 120), failed=508, errors={"unfinished": 508})
    row = screen(ramped(at(90)), (120, 40), frame=frame)[1]
    assert "errors 508   unfinished" in row
    assert row.count("508") == 1


def test_errors_are_counted_by_kind():
    row = screen(ramped(at(79)), (120, 40))[1]
    assert "http_503" in row


def test_the_window_moves_on_by_whole_pages_and_keeps_every_value():
    view = ramped(at(90))
    plot = layout.columns_for(80).plot
    starts = set()
    for tenth in range(200):
        at_ns = 70 * S + tenth * S // 10
        raw = view.frame(at_ns, 1500_000_000 * plot, plot)
        moved = paged(view, at_ns, 1500_000_000, plot)
        starts.add(moved.start_ns)
        assert moved.start_ns % (PAGE * 1500_000_000) == 0
        shift = (moved.start_ns - raw.start_ns) // raw.slot_ns
        assert 0 <= shift < PAGE
        kept = slice(0, plot - shift)
        assert moved.offered[kept].tobytes() == raw.offered[shift:].tobytes()
        assert np.isnan(moved.offered[plot - shift :]).all()
    assert len(starts) in (4, 5)  # 20 s of pages of 6 s


@pytest.mark.parametrize("seconds", [2.5, 4, 9, 20, 40, 60, 90])
@pytest.mark.parametrize("width", [80, 120, 200])
def test_now_stands_at_the_right_from_the_first_second_and_the_window_grows_with_the_run(seconds, width):
    frame = frame_of(ramped(at(seconds)), width)
    page = page_of(frame.slot_ns)
    newest = int(np.flatnonzero(np.isfinite(frame.offered))[-1])
    assert frame.slots - page <= newest < frame.slots
    assert frame.start_ns % (page * frame.slot_ns) == 0
    age_ns = frame.at_ns - made_up_run.START_NS
    window_ns = frame.slots * frame.slot_ns
    assert window_ns >= min(age_ns, 60 * S)
    assert window_ns <= max(4 * age_ns, 10 * S), "not more of it empty than of a window of ten seconds"
    assert not (250_000_000 % frame.slot_ns and frame.slot_ns % 250_000_000), (
        "columns are parts of a tick, or ticks"
    )


def test_while_a_run_is_young_its_first_column_stays_on_the_chart():
    for tenth in range(25, 500, 7):
        view = ramped(at(tenth / 10))
        assert frame_of(view, 80).start_ns <= made_up_run.START_NS


def test_what_lies_after_the_playhead_of_a_replay_is_there_and_dim():
    view = ramped(at(90), gpus=1, running=False)
    state = ScreenState(playhead=Playhead(45 * S, False), replay=True, window_s=None)
    axis = shown_axis(view, state, layout.overview_columns(120).plot)
    frame = axis.frame(view, 45 * S)
    later = LaterFrames().frame(view, state, axis)
    assert later is not None
    scales = scales_for(frame, state, {}, later=later)
    rows = compose(frame, state, scales, 120, 40, later=later)
    end = compose(later, state, scales_for(later, state, {}), 120, 40)
    column = 8 + (45 * S - 1 - axis.start_ns) // axis.slot_ns + 1
    known = 8 + (89 * S - axis.start_ns) // axis.slot_ns
    for y in range(5, 14):
        cells, whole = ([(cell, role) for text, role in row for cell in text] for row in (rows[y], end[y]))
        for x in range(column, known):
            assert cells[x][0] == whole[x][0], "the same is drawn as at the end"
            assert cells[x][0] == " " or cells[x][1].startswith("later"), cells[x]
    bare = compose(frame, state, scales, 120, 40)
    for row, without in zip(rows[4:38], bare[4:38], strict=True):
        (text, alone) = ("".join(part for part, _ in one) for one in (row, without))
        assert text[79:] == alone[79:], "figures are those of the playhead"


def test_nothing_lies_after_the_playhead_of_a_run_that_goes_on_or_at_its_end():
    for view, at_ns in ((ramped(at(90)), 45 * S), (ramped(at(90), running=False), 90 * S)):
        state = ScreenState(playhead=Playhead(at_ns, False), window_s=None)
        assert LaterFrames().frame(view, state, shown_axis(view, state, 71)) is None


LIMITED = Limit("KV cache", "97 % used, 1.2 preemptions/s, 4 waiting", 20 * S)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", ["256", "none"])
def test_the_limit_stands_in_words_at_every_size(size, colours):
    frame = replace(frame_of(ramped(at(90)), size[0]), limit=LIMITED)
    row = screen(ramped(at(90)), size, frame=frame, theme=Theme(colours=colours))[2]
    assert row.startswith("binds: KV cache  97 % used, 1.2 preemptions/s, 4 waiting")
    assert ("since 00:18" in row) == (size[0] >= 70)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (Limit("power", "694/700 W", 20 * S), "binds: power  mean of 3 s: 694/700 W"),
        (Limit("SM", "97 % active", 0), "binds: SM  mean of 3 s: 97 % active"),
        (Limit("queue", "25 waiting, 8 running", 20 * S), "binds: queue  25 waiting, 8 running"),
        (Limit("server", "no token for 10 s", 20 * S), "binds: server  no token for 10 s"),
        (Limit("client", "requests left 90 ms late", 20 * S), "binds: client  requests left 90 ms late"),
    ],
)
def test_figures_that_are_means_of_seconds_name_their_window_beside_them_at_every_size(size, limit, says):
    frame = replace(frame_of(ramped(at(90)), size[0]), limit=limit)
    assert screen(ramped(at(90)), size, frame=frame)[2].startswith(says)


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_has_a_look_of_its_kind(name):
    frame = replace(frame_of(ramped(at(90)), 80), limit=Limit(name, "", 0))
    assert (
        screen(ramped(at(90)), frame=frame)[2].strip() == f"binds: {'headroom' if name == 'room' else name}"
    )


def test_figures_of_a_limit_that_find_no_room_are_cut_with_an_ellipsis():
    closed = Limit(
        "unknown", "a closed loop need not queue, and neither KV cache nor SM activity is known", 0
    )
    row = screen(ramped(at(90)), frame=replace(frame_of(ramped(at(90)), 80), limit=closed))[2]
    assert row.rstrip().endswith("…")
    assert row.startswith("binds: unknown  a closed loop need not queue, and neither KV")


def test_a_saturated_client_takes_the_line_of_the_limit():
    view = ramped(at(90), saturated=True, note="CPU 97 %")
    frame = replace(frame_of(view, 80), limit=LIMITED)
    shown = screen(view, frame=frame)
    assert shown[2].startswith(" CLIENT SATURATED: CPU 97 %")
    assert not any("binds:" in row for row in shown)


def gpu_screen(size, gpus=1, **values):
    frame = frame_of(ramped(at(90), gpus=gpus), size[0])
    changed = replace(frame, gpus=(replace(frame.gpus[0], **values), *frame.gpus[1:]))
    return screen(ramped(at(90)), size, frame=changed)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_activity_and_throttling_are_shown_where_they_are_read(size):
    text = "\n".join(
        gpu_screen(size, sm_pct=62.0, dram_pct=55.0, throttle=("power cap",), throttled_pct=12.4)
    )
    assert "SM 62%" in text
    assert "DRAM 55%" in text
    assert "PWR 12%" in text
    assert "/80.0" in text
    plain = "\n".join(gpu_screen(size, throttle=(), throttled_pct=0.2))
    assert "DRAM" not in plain
    assert "PWR" not in plain


@pytest.mark.parametrize(
    ("throttle", "said"), [(("thermal",), "HEAT 40%"), (("power brake",), "BRAKE 40%"), ((), "SLOW 40%")]
)
def test_throttling_says_its_cause(throttle, said):
    assert said in "\n".join(gpu_screen((120, 40), throttle=throttle, throttled_pct=40.0))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("gpus", [1, 2, 8])
@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"lost": True}, "lost"),
        ({"excluded": "hidden"}, "hidden"),
        ({"excluded": "not serving"}, "not serving"),
    ],
)
def test_a_gpu_that_is_no_part_of_the_load_is_grey_and_says_why(size, gpus, values, word):
    assert word in "\n".join(gpu_screen(size, gpus, **values))


def test_the_servers_own_latency_stands_beside_ours():
    frame = frame_of(ramped(at(90)), 80)
    own = replace(frame, server=replace(frame.server, ttft=Stat(900, 111.0, 222.0, 333.0)))
    shown = screen(ramped(at(90)), frame=own)
    assert "server 111 222 333" in next(row for row in shown if "TTFT ms" in row)
    wide = replace(frame_of(ramped(at(90)), 120), server=own.server)
    assert any(
        "server's TTFT p50 111  p95 222  p99 333" in row
        for row in screen(ramped(at(90)), (120, 40), frame=wide)
    )


@pytest.mark.parametrize(("charset", "at_most"), [("braille", "≤"), ("ascii", "<=")])
def test_a_servers_own_latency_that_is_a_bound_is_no_target_and_one_bucket_is_nothing(charset, at_most):
    frame = frame_of(ramped(at(90)), 120)
    known = Stat(900, 250.0, 717.0, 900.0, bounds=frozenset({"p50"}))
    bucket = Stat(900, 40e3, 40e3, 40e3, bounds=frozenset({"p50", "p95", "p99"}))
    own = replace(frame, server=replace(frame.server, ttft=known, itl=bucket))
    shown = screen(ramped(at(90)), (120, 40), frame=own, theme=Theme(charset=charset))
    assert any(f"server's TTFT p50 {at_most}250  p95 717" in row for row in shown)
    assert not any("server's ITL" in row for row in shown)
    small = replace(frame_of(ramped(at(90)), 80), server=own.server)
    titles = [row for row in screen(ramped(at(90)), frame=small) if "TTFT ms" in row or "ITL ms" in row]
    assert ["  server " in title for title in titles] == [True, False]


def test_energy_and_hosts_stand_in_one_row_where_there_is_room():
    frame = replace(
        frame_of(ramped(at(90)), 120),
        power=Power(2610.0, 0.84, False, 4),
        hosts=(Host("n1", cpu_pct=97.0, steal_pct=12.0, load1=3.1), Host("n2", cpu_pct=5.0)),
        poll_ms=3.1,
    )
    rows = screen(ramped(at(90)), (120, 40), frame=frame)
    assert "2610 W" in next(row for row in rows if " GPU " in row)
    assert "0.84 J/tok" in next(row for row in rows if "TOKENS/S" in row)
    host = next(row for row in rows if "HOST" in row)
    for words in ("n1 97%", "steal 12%", "n2 5%"):
        assert words in host
    small = "\n".join(
        screen(ramped(at(90)), (80, 24), frame=replace(frame_of(ramped(at(90)), 80), power=frame.power))
    )
    assert "0.84 J/tok" in small
    assert not any("ENERGY" in row or "HOST" in row for row in screen(ramped(at(90)), (120, 40)))


def test_no_text_of_a_server_gets_onto_the_screen_as_an_order():
    evil = "A\x1b[31mR\x1b]0;PWN\x07\x9b2J\x00\u202e\x85\x7f [/ [bold [@click=app.quit]x[/]\ud800"
    for size in SIZES:
        for gpus in (0, 1, 8):
            text = "".join(screen(ramped(at(90), gpus=gpus, evil=evil, note="x"), size))
            assert text == safe(text, len(text))


@pytest.mark.parametrize("window_s", [30.0, 60.0, 300.0, None])
@pytest.mark.parametrize("columns", [30, 46, 71, 139])
def test_a_column_is_whole_ticks_and_all_columns_span_the_window(window_s, columns):
    for run_s in (1, 75, 3600, 100_000):
        length_ns = column_ns(window_s, run_s * S, columns)
        assert length_ns % 250_000_000 == 0
        used = max(run_s if window_s is None else window_s, 10) * S / length_ns
        assert used > 0.64 * columns or length_ns == 250_000_000, "two thirds of the width are used"
        assert length_ns * columns >= (run_s if window_s is None else window_s) * S


@pytest.mark.parametrize("window_s", [30.0, 60.0, 300.0])
@pytest.mark.parametrize("columns", [46, 66, 74, 120])
def test_the_columns_of_a_young_run_fill_a_third_of_a_chart_at_least_and_its_label_says_what_they_span(
    window_s, columns
):
    usual_ns = column_ns(window_s, 0, columns)
    for run_s in np.geomspace(5, window_s, 40).tolist():
        slot_ns = young_column_ns(round(run_s * 1e9), columns, usual_ns)
        span_s = slot_ns * columns / 1e9
        assert span_s >= min(run_s, window_s)
        assert run_s >= span_s / 3 or slot_ns == usual_ns
        label = drawn_label(window_s, slot_ns * columns)
        drawn, _, of = label.partition(" of ")
        assert float(drawn[:-1]) * {"s": 1, "m": 60}[drawn[-1]] == pytest.approx(span_s, rel=0.06)
        assert (of == {30.0: "30s", 60.0: "60s", 300.0: "5m"}[window_s]) == (span_s < window_s)


def failing(size, **more) -> Frame:
    causes = (Cause("http_500", 481, "model not \x1b[2J loaded", 480),)
    usual = {"failed": 481, "succeeded": 0, "errors": {"http_500": 481}, "causes": causes, "failing": True}
    return replace(frame_of(ramped(at(90)), size[0]), **{**usual, **more})


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
def test_a_run_in_which_everything_fails_says_so_across_the_screen_with_the_reason(size):
    for more in ({}, {"client_saturated": True, "client_note": "CPU 97 %"}, {"details": True}):
        changed = {key: value for key, value in more.items() if key != "details"}
        shown = screen(ramped(at(90)), size, frame=failing(size, **changed), details="details" in more)
        assert shown[2].startswith(' FAILING  errors 481 of 481: HTTP 500 "model not')
        assert not any("\x1b" in row for row in shown)
    if size[0] >= 80:
        assert '"model not \\x1b[2J loaded" (all)' in shown[2]


def test_a_load_that_is_held_because_all_fail_says_how_to_go_on():
    row = screen(ramped(at(90)), frame=failing((80, 24), state="stopped"))[2]
    assert row.startswith(' FAILING  errors 481 of 481: HTTP 500 "model not')
    assert row.rstrip().endswith("space resumes")
    long = replace(failing((80, 24), state="stopped"), causes=(Cause("http_500", 9, "x" * 160, 9),))
    assert screen(ramped(at(90)), frame=long)[2].rstrip().endswith("…   space resumes")


def test_a_plan_that_was_left_because_all_fail_says_which_key_goes_on_with_it():
    for state, of in (("left", 4), ("left", None)):  # None: the steps of a search
        frame = failing((80, 24), state="stopped", plan=PlanProgress("p", 2, of, "8 rps", state, None, None))
        assert screen(ramped(at(90)), frame=frame)[2].rstrip().endswith("   p goes on with the plan")
    frame = failing((80, 24), state="holding", plan=PlanProgress("p", 2, 4, "8 rps", "running", None, None))
    assert screen(ramped(at(90)), frame=frame)[2].rstrip().endswith("   space resumes")


def test_a_server_that_is_not_verified_is_said_at_every_size():
    for size in ((80, 24), (120, 40)):
        frame = replace(frame_of(ramped(at(90)), size[0]), insecure=True)
        assert "TLS NOT VERIFIED" in screen(ramped(at(90)), size, frame=frame)[1]
    assert "VERIFIED" not in screen(ramped(at(90)))[1]


@pytest.mark.parametrize("seconds", [4, 8, 20, 45, 58, 75, 90.5, 91.25])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_eight_gpus_show_their_last_seconds_however_short_the_run_is(seconds, charset, size):
    view = ramped(at(seconds), gpus=8)
    rows = screen(view, size, theme=Theme(charset=charset))
    known = np.isfinite(frame_of(view, size[0]).gpus[0].util)
    found = re.findall(r"\d+%[^%\n]*?C(?: \d+ MHz)? ( *)([▁▂▃▄▅▆▇.:=+*#-]+)", "\n".join(rows))
    assert len(found) == 8
    assert len(set(map(len, (spark for _, spark in found)))) == 1
    # On the axis of the charts: before the run's begin there is nothing.
    cells = len("".join(found[0]))
    before = cells * (1 - known.sum() / len(known))
    assert len(found[0][0]) == pytest.approx(before, abs=2 + cells * 4 / len(known))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_how_long_the_client_was_the_limit_stands_in_the_line_of_the_limit(size):
    frame = replace(frame_of(ramped(at(90)), size[0]), client_saturated_s=2, client_judged_s=128)
    assert screen(ramped(at(90)), size, frame=frame)[2].rstrip().endswith("client saturated 2 of 128 s")
    never = replace(frame, client_saturated_s=0)
    assert "saturated" not in screen(ramped(at(90)), size, frame=never)[2]


def test_of_a_run_that_is_over_it_is_told_how_many_first_tokens_are_of_requests_that_failed():
    frame = replace(frame_of(ramped(at(90)), 80), state="ended", live=False, succeeded=1300)
    frame = replace(frame, ttft_run=replace(frame.ttft_run, count=1360))
    assert any("failed 60 of run" in row for row in screen(ramped(at(90)), frame=frame))
    assert not any("of run" in row for row in screen(ramped(at(90)), frame=replace(frame, state="running")))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_the_measured_window_is_heavy_on_the_axis_and_whether_it_is_steady_a_word(size, charset):
    view, theme = ramped(at(63)), Theme(charset=charset)
    floor, heavy = theme.glyph("floor"), theme.glyph("measured")

    def axis_of(rows: list[str]) -> str:
        return next(row for row in rows if f"{theme.glyph('axis_tick')}00:30" in row)

    plain = screen(view, size, theme=theme)
    assert heavy * 2 not in axis_of(plain)
    frame = frame_of(view, size[0])
    view.window = Window("steady", START_NS + 45 * S, START_NS + 55 * S, "why")
    shown = screen(view, size, theme=theme)
    assert "steady" in shown[1]
    assert axis_of(shown).replace(heavy, floor) == axis_of(plain), "nothing moves"
    seconds = axis_of(shown).count(heavy) * frame.slot_ns / S
    assert 10 - 2 * frame.slot_ns / S - 6 * frame.slot_ns / S <= seconds <= 10, "labels stay"
    view.window = Window("drifting_up", -(10**12), 10**15, "why")
    assert "drifting up" in screen(view, size, theme=theme)[1], "it goes before what else is there"
    assert plain[0] == shown[0]


def test_with_a_plan_a_drift_is_said_at_80_columns():
    view = ramped(at(63))
    view.window = Window("drifting_up", 50 * S, 60 * S, "why")
    plan = PlanProgress("p", 3, 7, "16 rps", "running", 5.0, 300.0)
    row = screen(view, (80, 24), frame=replace(frame_of(view, 80), plan=plan))[1]
    assert "PLAN 3/7" in row
    assert "drifting up" in row
    assert "errors" in row


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (PlanProgress("p", 3, 7, "16 rps", "running", 5.0, 300.0), "PLAN 3/7 16 rps 05:00 left   "),
        (
            PlanProgress("p", 3, 7, "16 rps", "draining", None, 125.0),
            "PLAN 3/7 16 rps awaiting 42 answers 02:05 left",
        ),
        (PlanProgress("p", 3, 7, "16 rps", "over", None, None), "PLAN 3/7 16 rps pause p ends it   "),
        (PlanProgress("p", 7, 7, "16 rps", "over", None, None), "PLAN 7/7 16 rps   "),
        (PlanProgress("p", 3, 7, "16 rps", "left", None, None), "PLAN left at 3/7: p goes on   "),
        (
            PlanProgress("limit", 2, None, "9 rps (8 holds)", "running", None, None),
            "STEP 2: 9 rps (8 holds)   ",
        ),
        (
            PlanProgress(
                *("limit", 5, None, "8.72 rps (between 8 and 9.51)", "running", None, None),
                SearchProgress("8.72 rps", 612, 1500, 101.8, 8.0, 9.514, 1400.0, "rps"),
            ),
            "STEP 5 8.72 rps  612 of 1,500, 01:41 at most   between 8 and 9.51 rps   search over in about 25 min   ",
        ),
        (
            PlanProgress(
                *("limit", 5, None, "8.72 rps (between 8 and 9.51)", "draining", None, None),
                SearchProgress("8.72 rps", 1500, 1500, None, 8.0, None, None, "rps"),
            ),
            "STEP 5 8.72 rps ends, awaiting 42 answers   8 rps holds, searching upwards   ",
        ),
        (
            PlanProgress(
                *("limit", 3, None, "4 at once again", "over", None, None),
                SearchProgress("4 at once again", 1500, 1500, None, None, 8.0, None, "at once"),
            ),
            "STEP 3 4 at once again   8 at once does not hold, searching downwards   ",
        ),
        (
            PlanProgress(
                *("limit", 1, None, "one at a time", "running", None, None),
                SearchProgress("one at a time", 3, 12, None, None, None),
            ),
            "STEP 1 one at a time  3 of 12   ",
        ),
    ],
)
def test_where_a_plan_is_stands_beside_the_load(plan, said):
    view = ramped(at(63))
    row = screen(view, (160, 40), frame=replace(frame_of(view, 160), plan=plan))[1]
    assert f"{row}   ".startswith(said)


@pytest.mark.parametrize(
    ("width", "said"),
    [(120, "STEP 5 8.72 rps  612 of 1,500   "), (80, "STEP 5 8.72 rps 612/1500 01:41 at most")],
)
def test_of_a_search_there_is_always_its_bracket_and_from_120_cells_on_about_when_it_is_over(width, said):
    view = ramped(at(63))
    search = SearchProgress("8.72 rps", 612, 1500, 101.8, 8.0, 9.514, 1400.0, "rps")
    plan = PlanProgress("limit", 5, None, "8.72 rps (between 8 and 9.51)", "running", None, None, search)
    row = screen(view, (width, 40), frame=replace(frame_of(view, width), plan=plan, attained=Attained(1.0)))[
        1
    ]
    assert row.startswith(said)
    assert ("8 ✓  9.51 ✗" if width < 100 else "between 8 and 9.51 rps   search over in about 25 min") in row
    assert "SIMULATED" in row


def test_how_many_held_their_targets_is_a_share_of_a_hundred():
    view = ramped(at(63))
    row = screen(view, (160, 40), frame=replace(frame_of(view, 160), attained=Attained(0.987)))[1]
    assert "98.7% in target" in row
    assert "in target" not in screen(view, (160, 40))[1]

"""The view of GPUs on a real timeline, without any terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples
from tests.tui.recorded import GIB, Recorded, S, drawing, gpu_records, load
from tui.draw.rows import width_of
from tui.draw.theme import ROLES, Theme
from tui.views.gpus import FIGURES, Gpus
from tui.views.view import Drawing
from tui.views.views import whole, within

SIZES = [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60), (61, 17), (300, 20)]


def screen(drawn: Drawing, view: Gpus) -> list[str]:
    rows = whole(drawn, view)
    assert [width_of(row) for row in rows] == [drawn.width] * drawn.height
    assert all(role in ROLES for row in rows for _, role in row)
    body = view.rows(within(drawn))
    assert len(body) <= within(drawn).height
    return ["".join(text for text, _ in row) for row in rows]


def of(gpus: int, seconds: int = 20, **more) -> Recorded:
    return Recorded([*load(seconds), *gpu_records(gpus, seconds, **more)])


RUNS = {gpus: of(gpus, 12) for gpus in (1, 2, 8, 20)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gpus", RUNS)
@pytest.mark.parametrize("theme", [Theme(), Theme("ascii", "none")], ids=["colours", "ascii"])
def test_every_size_and_number_of_gpus_fills_the_screen_exactly(size, gpus, theme):
    drawn = drawing(RUNS[gpus], size, theme=theme)
    for view in (Gpus(), Gpus("links", "trouble", opened=True)):
        shown = screen(drawn, view)
        assert any("GPU0" in row or "GPU2" in row or "GPU3" in row for row in shown)


@pytest.mark.parametrize(("figure", "shown"), [("util", "mem power"), ("memory", "power util")])
def test_beside_the_chart_of_one_of_eight_stand_meters_of_what_it_does_not_show(figure, shown):
    rows = screen(drawing(RUNS[8], (120, 40)), Gpus(figure))
    (at,) = [n for n, row in enumerate(rows) if row.startswith(" GPU1")]
    side = [row[80:] for row in rows[at + 1 : at + 3]]
    assert [row.split()[0] for row in side] == shown.split()
    (power,) = [row for row in side if row.startswith("power")]
    watts = float(power.split("/700")[0].split()[-1])
    cells = power.count("━") + power.count("─")
    assert power.count("━") == round(cells * watts / 700)


def test_the_power_of_all_gpus_is_added_up():
    drawn = drawing(RUNS[8], (120, 40))
    (head,) = [row for row in screen(drawn, Gpus()) if row.startswith(" UTIL")]
    assert f"{sum(gpu.power_w for gpu in drawn.frame.gpus):.0f} W together" in head


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_one_gpu_has_a_chart_of_every_figure(size):
    text = "\n".join(screen(drawing(RUNS[1], size), Gpus()))
    for word in ("UTIL", "SM", "DRAM", "MEMORY", "reserved 0.5", "POWER", "limit 700 W", "TEMPERATURE"):
        assert word in text
    for word in ("CLOCKS", "THROTTLING", "NVLink", "PCIe"):
        assert word in text
    assert "not read here" not in text
    assert "vllm::worker 60.0 GiB" in text or size == (80, 24)


def test_what_is_not_read_is_named_in_place_of_an_empty_chart():
    bare = [
        GpuDevices(0, "dcgm", [GpuDevice("a", 0, "Tesla T4")]),
        *(GpuSamples(i * S, 1, "dcgm", [GpuSample("a", 50.0, power_w=60.0)]) for i in range(1, 20)),
    ]
    shown = screen(drawing(Recorded([*load(20), *bare]), (120, 40)), Gpus())
    (said,) = (row for row in shown if "not read here" in row)
    for word in ("memory", "temperature", "clocks", "throttling", "NVLink", "PCIe", "SM activity"):
        assert word in said
    assert not any("CLOCKS" in row for row in shown)


def test_throttling_is_in_words_and_as_a_marked_stretch():
    shown = screen(drawing(RUNS[8], (120, 40)), Gpus(cursor=3, opened=True))
    (row,) = (row for row in shown if "THROTTLING" in row)
    assert "thermal 60%" in row
    lane = row[8 : 8 + 71]
    assert lane.rstrip().endswith("·HHHHHH")
    assert "·" * 5 in lane  # before, nothing held it back
    assert "HOT 60%" in shown[4]


def test_troubles_are_flagged_counted_and_sorted_first():
    drawn = drawing(RUNS[8], (120, 40))
    by_index = screen(drawn, Gpus())
    assert "1 hot" in by_index[4]
    assert "1 throttled" in by_index[4]
    assert "1 idle beside busy ones" in by_index[4]
    names = [row[1:6].strip() for row in by_index if row[1:4] == "GPU" and "│" in row[:10]]
    assert names == [f"GPU{i}" for i in range(8)]
    (idle,) = (row for row in by_index if "IDLE?" in row)
    assert idle[1:5] == "GPU2"
    by_trouble = screen(drawn, Gpus(sort="trouble"))
    names = [row[1:6].strip() for row in by_trouble if row[1:4] == "GPU" and "│" in row[:10]]
    assert names == ["GPU3", "GPU6", "GPU2", "GPU0", "GPU1", "GPU4", "GPU5", "GPU7"]


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ("util", "SM 6"),
        ("memory", "/80.0 GiB"),
        ("power", "limit 700 W"),
        ("temperature", "°C"),
        ("clocks", "SM 1980 MHz"),
        ("links", "NVLink"),
    ],
)
def test_v_shows_one_figure_after_the_other(figure, words):
    drawn = within(drawing(RUNS[8], (120, 40)))
    view = Gpus()
    while view.figure != figure:
        view = view.pressed("turn", drawn).view
    text = ["".join(part for part, _ in row) for row in view.rows(drawn)]
    assert text[0].strip().startswith(figure.upper())
    assert sum(words in row for row in text) >= 7 - (figure == "clocks")


def test_v_comes_round():
    drawn, view = within(drawing(RUNS[2], (80, 24))), Gpus()
    seen = []
    for _ in range(len(FIGURES) + 1):
        seen.append(view.figure)
        view = view.pressed("turn", drawn).view
    assert seen == [*FIGURES, FIGURES[0]]


def test_the_cursor_goes_through_all_of_them_and_takes_the_page_with_it():
    drawn = drawing(RUNS[20], (80, 24))
    view, seen = Gpus(), []
    for _ in range(25):
        (row,) = (row for row in screen(drawn, view)[3:] if row.startswith("▶"))
        seen.append(row[1:5].strip().removeprefix("GPU"))
        view = view.pressed("row_next", within(drawn)).view
    assert seen[:20] == [str(i) for i in range(20)]
    assert set(seen[20:]) == {"19"}
    assert "of 20" in screen(drawn, view)[4]
    assert view.pressed("page_previous", within(drawn)).view.cursor == 10
    assert view.pressed("row_previous", within(drawn)).view.cursor == 18


def test_the_cursor_stays_on_its_gpu_when_the_order_changes():
    drawn = within(drawing(RUNS[8], (120, 40)))
    view = Gpus().pressed("row_next", drawn).view.pressed("sort", drawn).view
    assert (view.sort, view.cursor) == ("trouble", 1)


def test_enter_opens_the_gpu_of_the_cursor_and_escape_closes_it():
    drawn = within(drawing(RUNS[8], (120, 40)))
    view = Gpus(cursor=5).pressed("open", drawn).view
    assert view.opened
    assert "GPU5 6 of 8" in "".join(text for text, _ in view.rows(drawn)[0])
    closed = view.pressed("escape", drawn).view
    assert closed == Gpus(cursor=5)
    assert closed.pressed("escape", drawn).view == closed


def test_gpus_of_several_nodes_are_grouped_by_their_host():
    two = of(8, 12, hosts=("node1", "node2"))
    shown = screen(drawing(two, (120, 40)), Gpus())
    hosts = [i for i, row in enumerate(shown) if row.strip() in ("node1", "node2")]
    assert [shown[i].strip() for i in hosts] == ["node1", "node2"]
    names = [row[1:6].strip() for row in shown[hosts[0] : hosts[1]] if row[1:4] == "GPU"]
    assert names == ["GPU0", "GPU1", "GPU2", "GPU3"]
    # By trouble they stand among each other, each with its host.
    assert any("2:3" in row[:9] for row in screen(drawing(two, (120, 40)), Gpus(sort="trouble")))


def test_without_a_gpu_it_says_why_and_what_to_do():
    for size in ((60, 16), (80, 24), (120, 40)):
        text = "\n".join(screen(drawing(Recorded(load(5)), size), Gpus()))
        assert "no GPU was found" in text
        assert "--telemetry ssh://" in text
        assert ":9400/metrics" in text or size == (60, 16)


def test_no_word_of_a_driver_or_a_host_reaches_the_terminal_as_an_order():
    evil = "\x1b]0;owned\x07\x9b31m\u202egpu" * 9
    records = [*load(5), *gpu_records(4, 5, hosts=(evil, evil + "2"), name=evil)]
    for opened in (False, True):
        shown = screen(drawing(Recorded(records), (120, 40)), Gpus(opened=opened))
        assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e" for row in shown for c in row)


def test_a_gpu_that_is_lost_or_old_says_so_instead_of_its_figures_being_believed():
    lost = [
        GpuDevices(0, "nvml", [GpuDevice("a", 0, memory_total_bytes=80 * GIB), GpuDevice("b", 1)]),
        *(
            GpuSamples(i * S, 1, "nvml", [GpuSample("a", lost=True), GpuSample("b", 9.0)])
            for i in range(1, 9)
        ),
    ]
    shown = screen(drawing(Recorded([*load(20), *lost]), (80, 24)), Gpus())
    assert any("LOST" in row for row in shown)
    assert any("12s old" in row for row in shown)


def test_what_is_shown_of_an_instant_is_the_same_whatever_came_later():
    early = Recorded([r for r in [*load(12), *gpu_records(8, 12)] if r.t_ns <= 6 * S])
    late = Recorded([*load(12), *gpu_records(8, 12)])
    # Twelve seconds on both axes.
    one, other = (drawing(run, (120, 40), at_ns=6 * S, window_s=60.0) for run in (early, late))
    view = Gpus(opened=True, cursor=3)
    assert view.rows(within(one))[1:-3] == view.rows(within(other))[1:-3]


def test_the_cursor_passes_from_one_to_the_next_of_mig_instances_that_are_called_alike():
    devices = [GpuDevice(f"m{i}", 0, parent="g", mig="1g.10gb") for i in range(3)]
    samples = [
        GpuSamples(i * S, 1, "nvml", [GpuSample(d.gpu, memory_used_bytes=GIB) for d in devices])
        for i in (1, 2)
    ]
    drawn = within(drawing(Recorded([*load(3), GpuDevices(0, "nvml", devices), *samples]), (80, 24)))
    view = Gpus().pressed("row_next", drawn).view.pressed("row_next", drawn).view
    pointed = [i for i, row in enumerate(view.rows(drawn)) if row[0][0] == "▶"]
    assert view.cursor == 2
    assert len(pointed) == 1


def test_before_anything_was_read_it_does_not_say_that_there_is_none():
    early, late = Recorded([*load(1)]), Recorded([*load(9)])
    assert any(
        "nothing has been read of a GPU yet" in row for row in screen(drawing(early, (80, 24)), Gpus())
    )
    assert any("no GPU was found" in row for row in screen(drawing(late, (80, 24)), Gpus()))


def test_why_there_is_none_is_told_in_full():
    note = (
        "no driver on this machine; a container needs --gpus all, and a word more than a row of eighty holds"
    )
    drawn = drawing(Recorded([*load(9)]), (80, 24))
    rows = screen(replace(drawn, frame=replace(drawn.frame, gpu_note=note)), Gpus())
    assert note in " ".join(" ".join(rows).split())


def test_charts_of_one_gpu_fill_a_large_screen():
    rows = screen(drawing(of(1), (200, 60)), Gpus())
    blank = [i for i, row in enumerate(rows) if not row.strip()]
    assert len(blank) <= 3, blank


@pytest.mark.parametrize(("count", "shown"), [(1, False), (2, True)])
def test_keys_of_a_list_stand_below_the_view_only_where_there_is_a_list(count, shown):
    foot = screen(drawing(Recorded([*load(20), *gpu_records(count, 20)]), (200, 40)), Gpus())[-1]
    for words in ("row", "go", "sort", "chart"):
        assert (re.search(rf" {words}( |$)", foot) is not None) == shown, foot
    assert "help" in foot

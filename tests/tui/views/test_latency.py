"""View 2 as rows: heatmap, bands, the load that is on beside the one before, and a moved target."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import pytest

from sessions.frame.latency import latency_now
from sessions.plan.slo import Target
from sessions.timeline.timeline import Timeline
from tests.sessions.conftest import START_NS, MadeRun, make
from tests.sessions.timeline.folding import folded
from tests.tui.views.recorded import SIZES, Recorded, drawing_of, roles_of, rows_of
from tui.draw.theme import Theme
from tui.views.latency import TURNS, Latency
from tui.views.latency_charts import BANDS_FROM
from tui.views.what_if import moved

S = 1_000_000_000


@pytest.fixture(scope="module")
def run() -> MadeRun:
    return make(seconds=30.0, rate_rps=20.0, changes=((15.0, 60.0),))


@pytest.fixture(scope="module")
def source(run: MadeRun) -> Recorded:
    config = msgspec.structs.replace(run.manifest.config, slo=["ttft.p95<150ms"])
    return Recorded(folded(*run.records), msgspec.structs.replace(run.manifest, config=config))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("metric", TURNS)
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_every_metric_fills_every_size(source, size, metric, charset):
    drawing = drawing_of(source, size, theme=Theme(charset=charset))
    text = rows_of(Latency(metric), drawing)
    assert size[1] - 1 <= len(text) <= size[1]
    if charset == "ascii":
        assert "".join(text).isascii()


@pytest.mark.parametrize("size", [(80, 19), (120, 35), (200, 55)])
def test_percentiles_and_target_are_to_be_found_at_every_size(source, size):
    roles = roles_of(Latency(), drawing_of(source, size))
    areas = {"fan95", "fan99", "over95", "target_line"}
    assert (areas if size[1] >= BANDS_FROM else {"p50", "p95", "p99", "target_line"}) <= roles
    assert roles & {"late_1", "late_2", "late_3", "late_4"}, "what is above the target is shown as that"
    assert roles & {"heat_1", "heat_2", "heat_3", "heat_4"}


def test_the_figures_of_both_loads_are_numpys_of_the_first_tokens_that_came_under_them(run, source):
    text = "\n".join(row.strip() for row in rows_of(Latency(), drawing_of(source, (80, 19))))
    cut = (START_NS + 15 * S) // 250_000_000 * 250_000_000
    end = (START_NS + 30 * S) // 250_000_000 * 250_000_000
    ttft = {
        "before 20 rps": [r.first_token_ns - r.due_ns for r in run.requests if r.first_token_ns <= cut],
        "this 60 rps": [r.first_token_ns - r.due_ns for r in run.requests if cut < r.first_token_ns <= end],
    }
    for name, values in ttft.items():
        row = next(row for row in text.splitlines() if row.startswith(name)).replace("~", " ").split()
        # Of a load that follows another, a moment is left out in which what was due before is answered.
        left_out = len(values) - int(row[-1])
        assert left_out == 0 if name.startswith("before") else 0 <= left_out <= 60, "of a second"
        for cell, q in zip(row[-4:-1], (50, 95, 99), strict=True):
            near = 0.02 if not left_out else 0.05
            assert float(cell) == pytest.approx(np.percentile(values, q) / 1e6, rel=near)
    ratio = next(row for row in text.splitlines() if "this over before" in row).split()[3]
    expected = np.percentile(ttft["this 60 rps"], 50) / np.percentile(ttft["before 20 rps"], 50)
    assert float(ratio.strip("~x")) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("size", [(80, 19), (120, 35), (200, 55)])
def test_the_load_before_and_percentiles_that_share_a_row_are_told_whole(source, size):
    text = "\n".join(rows_of(Latency(), drawing_of(source, size)))
    assert re.search(r"(before|was) 20 rps +now 60 rps", text)
    assert not re.search(r"p\d\d [\d.]+ p\d\d(?! *[\d.])", text), "a percentile without its figure at the end"


@pytest.mark.parametrize("size", [(80, 19), (120, 35)])
def test_the_target_is_a_label_of_each_axis(source, size):
    rows = rows_of(Latency(), drawing_of(source, size))
    assert sum(row.lstrip().startswith("150ms") for row in rows) == 1 + (size[1] >= BANDS_FROM)


def test_columns_of_the_heatmap_hold_every_first_token_once(run, source):
    drawing = drawing_of(source, (120, 35))
    now = latency_now(source.timeline, source.curve.loads(source.last_ns), drawing.frame, "ttft")
    assert now.columns.total == len(run.requests) == now.run.count
    assert now.bounds_ms is not None
    values = sorted((r.first_token_ns - r.due_ns) / 1e6 for r in run.requests)
    assert now.bounds_ms[1] == pytest.approx(values[-1], rel=0.011)
    assert values[0] * 0.98 <= now.bounds_ms[0] <= values[len(values) // 50] * 1.02


def test_what_is_drawn_of_an_instant_is_the_same_once_more_is_known(run, source):
    at_ns = START_NS + 18 * S
    upto = folded(*(record for record in run.timeline_records if record.t_ns <= at_ns))
    early = Recorded(upto, source.manifest)

    def rows(of: Recorded) -> list[str]:
        drawing = drawing_of(source, (120, 35), at_ns=at_ns)
        frame = of.frame(
            at_ns, drawing.frame.slot_ns * drawing.frame.slots, drawing.frame.slots, drawing.frame.start_ns
        )
        return rows_of(Latency(), drawing.__class__(**{**drawing.__dict__, "frame": frame, "source": of}))

    assert rows(early) == rows(source)


def test_keys_turn_through_the_metrics_and_move_the_target(source):
    drawing = drawing_of(source, (80, 19))
    view = Latency()
    seen = []
    for _ in TURNS:
        seen.append(view.metric)
        view = view.pressed("turn", drawing).view
    assert tuple(seen) == TURNS
    assert view.metric == "ttft"
    view = view.pressed("target_up", drawing).view
    first = rows_of(view, drawing)[0]
    assert first.startswith(" WHAT IF  ttft.p95<160ms")
    assert "held by" in first
    assert "capacity" in first
    assert view.pressed("target_down", drawing).view.own.limit < 160
    assert view.pressed("escape", drawing).view == Latency()
    assert Latency().pressed("escape", drawing).view == Latency(), "the screen goes back then"


def test_without_a_target_the_first_is_beside_what_was_seen(run):
    plain = Recorded(folded(*run.records), run.manifest)
    drawing = drawing_of(plain, (80, 19))
    p95 = np.percentile([(r.first_token_ns - r.due_ns) / 1e6 for r in run.requests], 95)
    up, down = (Latency().pressed(action, drawing).view.own for action in ("target_up", "target_down"))
    assert down.limit < p95 < up.limit
    assert up.limit / down.limit < 1.3


def test_where_no_itl_is_known_chunk_gaps_stand_in_its_place_and_turns_are_fewer():
    made = make(seconds=10.0, rate_rps=20.0, chunk_tokens="unknown")
    drawing = drawing_of(Recorded(folded(*made.records), made.manifest), (80, 19))
    assert drawing.frame.itl_is_chunk_gap
    assert "CHUNK GAP ms" in rows_of(Latency("itl"), drawing)[0]
    assert Latency("itl").pressed("turn", drawing).view.metric == "e2e"


@pytest.mark.parametrize("size", SIZES)
def test_before_anything_came_it_says_so(size):
    drawing = drawing_of(Recorded(Timeline(), None, live=True), size)
    for metric in TURNS:
        assert "nothing yet" in "\n".join(rows_of(Latency(metric), drawing))
        assert Latency(metric).pressed("target_up", drawing).view.own is None


@pytest.mark.parametrize("limit", [0.37, 8.0, 50.0, 112.0, 150.0, 4300.0])
def test_each_key_moves_the_target_a_step_and_the_other_one_back(limit):
    target = Target("", "ttft", "p99", True, limit)
    up = moved(target, "ttft", None, True)
    down = moved(target, "ttft", None, False)
    assert down.limit < limit < up.limit
    assert up.limit / down.limit < 1.4
    again = moved(up, "ttft", None, True)
    assert moved(again, "ttft", None, False) == up
    assert (up.statistic, up.text) == ("p99", f"ttft.p99<{up.limit:g}ms")
    assert moved(None, "ttft", None, True) is None


def test_on_a_small_screen_the_title_has_all_lines_in_their_colours_and_the_table_too(source):
    drawing = drawing_of(source, (80, 19))
    rows = Latency().rows(drawing)
    assert all(name in "".join(text for text, _ in rows[0]) for name in ("p50", "p95", "p99"))
    for name in ("p50", "p95", "p99"):
        in_title = {role for text, role in rows[0] if name in text and role != "label"}
        heading = next(row for row in rows[1:] if any("TTFT ms" in text for text, _ in row))
        assert in_title >= {role for text, role in heading if name in text} == {name}


@pytest.mark.parametrize("size", [(80, 19), (120, 35), (200, 55)])
def test_each_of_several_targets_is_a_line_of_the_heatmap_with_its_name(run, size):
    config = msgspec.structs.replace(run.manifest.config, slo=["ttft.p50<80ms, ttft.p95<150ms, ttft.p99<9s"])
    several = Recorded(folded(*run.records), msgspec.structs.replace(run.manifest, config=config))
    rows = Latency().rows(drawing_of(several, size))
    heat = (
        next(i for i, row in enumerate(rows) if i and any("share" in text for text, _ in row))
        if size[1] > 26
        else 0
    )
    lines = ["".join(text for text, role in row if role == "target_line") for row in rows[heat + 1 :]]
    for name in ("p50", "p95", "p99"):
        assert any(name in line and "──" in line for line in lines), name


def test_a_target_of_tpot_is_a_line_in_the_chart_of_itl_that_judges_nothing(run):
    config = msgspec.structs.replace(run.manifest.config, slo=["tpot.p95<40ms"])
    asked = Recorded(folded(*run.records), msgspec.structs.replace(run.manifest, config=config))
    text = rows_of(Latency("itl"), drawing_of(asked, (200, 55)))
    assert any("TPOT p95?" in row for row in text)
    assert "TPOT p95 40ms ?" in text[0]
    assert not roles_of(Latency("itl"), drawing_of(asked, (200, 55))) & {"over50", "over95", "late_1"}

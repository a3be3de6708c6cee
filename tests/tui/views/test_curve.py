"""View 3 as rows: points, table, another session behind, and a moved target."""

from __future__ import annotations

import random

import msgspec
import pytest

from loadgen.records import Request, Tick
from sessions.curve.curve import Curve as CurveOf
from sessions.curve.point import Point
from sessions.frame.session_view import SessionView
from sessions.store.manifest import SessionInfo
from sessions.timeline.timeline import Timeline
from tests.sessions.conftest import START_NS, MadeRun, make
from tests.sessions.summary.summing import stored
from tests.sessions.timeline.folding import folded
from tests.tui.views.recorded import SIZES, Recorded, drawing_of, roles_of, rows_of
from tui.controls.playhead import Playhead
from tui.controls.prompts import asked_by
from tui.draw import numbers
from tui.draw.text import safe
from tui.draw.theme import Theme
from tui.plots.scatter import Dot
from tui.views import curve_plot
from tui.views.curve import Curve
from tui.views.curve_axes import AXES
from tui.views.curve_baseline import others_listed
from tui.views.curve_marks import legend, mark_of
from tui.views.curve_plot import Plotted, dots_of, joined
from tui.views.curve_table import about, table

S = 1_000_000_000
STEPS = ("pass", "fail", "undecided")
NO_TOKENS = ("ttft_from_due", "ttft_from_sent", "itl", "chunk_gap")
CHANGES = ((15.0, 40.0), (30.0, 60.0))


@pytest.fixture(scope="module")
def run() -> MadeRun:
    return make(seconds=45.0, rate_rps=20.0, changes=CHANGES)


@pytest.fixture(scope="module")
def source(run: MadeRun) -> Recorded:
    config = msgspec.structs.replace(run.manifest.config, slo=["ttft.p95<150ms"])
    found = Recorded(folded(*run.records), msgspec.structs.replace(run.manifest, config=config))
    found.curve.at(found.last_ns)
    while found.poll():
        pass
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_every_axis_fits_every_size(source, size, axes, charset):
    text = rows_of(Curve(axes), drawing_of(source, size, theme=Theme(charset=charset)))
    assert AXES[axes].title in text[0]
    if charset == "ascii":
        assert "".join(text).isascii()


def test_held_is_of_requests_as_in_the_summary_and_of_tokens_only_while_they_are_read(run):
    config = msgspec.structs.replace(run.manifest.config, slo=["itl.p95<20ms", "ttft.p95<150ms"])
    found = Recorded(folded(*run.records), msgspec.structs.replace(run.manifest, config=config))
    shown = rows_of(Curve(), drawing_of(found, (120, 35)))
    points = found.curve.at(found.last_ns).points
    for point in points:
        of = [each for each in run.requests if point.from_ns <= each.due_ns < point.to_ns]
        held = [each for each in of if holds_both(each, 150e6, 20e6)]
        (row,) = [row for row in shown if row[4:].lstrip().startswith(f"{point.stage.load:.3g} rps ")]
        assert f" {len(held) / len(of) * 100:.1f}% " in row
        assert f" {numbers.rate(len(held) / (point.to_ns - point.from_ns) * 1e9)} " in row
    for read in ([], run.requests[::2]):
        unread = Recorded(folded(*run.timeline_records, *read), found.manifest)
        text = "\n".join(rows_of(Curve(), drawing_of(unread, (120, 35))))
        assert "% tok" in text


def test_while_a_run_goes_on_held_is_of_requests_in_every_frame_and_renewed_by_polls(run):
    """Frames of one second, between which nothing that is known of requests changes."""
    config = msgspec.structs.replace(run.manifest.config, slo=["itl.p95<20ms", "ttft.p95<150ms"])
    manifest = msgspec.structs.replace(run.manifest, config=config)
    until_ns = START_NS + 28 * S
    come = [one for one in run.records if (one.end_ns if isinstance(one, Request) else one.t_ns) <= until_ns]
    timeline = folded(*come)
    found = Recorded(timeline, manifest, live=True)
    memory, known = found.curve, len(timeline.requests)
    for at_ns in range(until_ns, until_ns + S, S // 4):
        assert memory.held(at_ns) is not None
        assert "tok" not in "\n".join(rows_of(Curve(), drawing_of(found, (120, 35), at_ns=at_ns))[-12:-6])
    more = [one for one in run.requests if until_ns < one.end_ns <= until_ns + 2 * S]
    for record in [one for one in run.timeline_records if until_ns < one.t_ns <= until_ns + 2 * S]:
        timeline.apply(record)
    for request in more:
        timeline.apply(request)
    before = memory.what_if(memory.targets, until_ns + 2 * S)[0].whole.of
    assert before == known
    assert memory.held(until_ns + 2 * S) is not None, (
        "of the requests that are known, though ticks know of more"
    )
    memory.poll()
    assert memory.what_if(memory.targets, until_ns + 2 * S)[0].whole.of == known + len(more)
    past = memory.what_if(memory.targets, START_NS + 12 * S)
    replay = Recorded(folded(*run.records), manifest).curve
    assert past == replay.what_if(memory.targets, START_NS + 12 * S), "the past is that of a replay"


def test_of_a_piece_of_a_ramp_it_is_not_said_of_how_many_due_its_first_tokens_are(source):
    """They may be of what was due in the piece before."""
    point = source.curve.at(source.last_ns).points[0]
    assert column(point, "n of due") == f"{point.first_tokens} of {point.due}"
    piece = point._replace(stage=point.stage._replace(ramp=True), first_tokens=15, due=12)
    assert column(piece, "n of due") == "15"
    shown = Plotted(CurveOf((piece,), False, None, None, ()), (), None, (), piece, Theme(), False)
    assert ": 15 requests" in "".join(text for row in about(shown, 120, 1) for text, _ in row)


def column(point, title):
    shown = Plotted(CurveOf((point,), False, None, None, ()), (), None, (), None, Theme(), False)
    head, row = ("".join(text for text, _ in line) for line in table(shown, 120, 2, ""))
    end = head.index(title) + len(title)
    return row[:end].split("rps", 1)[1].strip()


def test_shares_of_few_requests_are_marked_as_thin(run, source):
    found, at_ns = Recorded(folded(*run.records), source.manifest), START_NS + 17 * S
    points, held = found.curve.at(at_ns).points, found.curve.held(at_ns)
    few = [point for point, of in zip(points, held, strict=True) if of.of < 59]
    assert len(few) == 1, "a load of two seconds"
    text = rows_of(Curve(), drawing_of(found, (120, 35), at_ns=at_ns))
    for point, of in zip(points, held, strict=True):
        (row,) = [row for row in text if row[4:].lstrip().startswith(f"{point.stage.load:.3g} rps ")]
        assert (f"~{of.share * 100:.1f}%" in row) is (point in few)


def holds_both(request, ttft_ns, tpot_ns):
    if request.error is not None:
        return False
    later = (request.output_tokens or 0) - 1
    tpot = (request.last_token_ns - request.first_token_ns) / later if later > 0 and request.chunks > 1 else 0
    return request.first_token_ns - request.due_ns <= ttft_ns and tpot <= tpot_ns


@pytest.mark.parametrize("size", SIZES)
def test_where_answers_have_no_tokens_the_curve_is_of_whole_answers_and_of_the_tokens_of_prompts(run, size):
    """As of embeddings: no first token, no gaps, no output."""
    records = [
        msgspec.structs.replace(one, **{name: [] for name in NO_TOKENS}, chunks=0, output_tokens=0)
        if isinstance(one, Tick)
        else one
        for one in run.records
    ]
    found = Recorded(folded(*records), run.manifest)
    points = found.curve.at(found.last_ns).points
    e2e_ns = [found.timeline.quantiles("e2e", point.from_ns, point.to_ns)[1][1] for point in points]
    assert [point.ttft_p95.value for point in points] == pytest.approx([one / 1e6 for one in e2e_ns])
    text = rows_of(Curve(), drawing_of(found, size))
    assert "E2E p95" in text[0]
    assert any("60 rps" in row for row in text)
    assert "INPUT TOKENS/S" in rows_of(Curve("tps"), drawing_of(found, size))[0]


@pytest.mark.parametrize("size", [(80, 19), (120, 35), (200, 55)])
def test_each_load_has_a_row_and_a_point_and_the_target_a_line(source, size):
    drawing = drawing_of(source, size)
    text = rows_of(Curve(), drawing)
    for load in ("20 rps", "40 rps", "60 rps"):
        assert any(load in row for row in text)
    assert {"point", "target", "target_line", "curve", "strong"} <= roles_of(Curve(), drawing) | {"point"}
    plot = "\n".join(text[: size[1] - 4])
    assert sum(plot.count(glyph) for glyph in "●○◉▲") >= 3
    assert "ttft.p95<150ms" in text[0]
    assert "held" in "\n".join(text)


def test_the_load_that_is_on_is_marked_and_says_what_it_will_be(run, source):
    at_ns = START_NS + 20 * S
    live = Recorded(folded(*(r for r in run.timeline_records if r.t_ns <= at_ns)), source.manifest, live=True)
    text = "\n".join(rows_of(Curve(), drawing_of(live, (80, 19), at_ns=at_ns)))
    assert "on: " in text
    assert "◆ on now" in text
    assert "60 rps" not in text
    replay = Recorded(folded(*run.timeline_records), source.manifest, live=False)  # intervals come with polls
    again = "\n".join(rows_of(Curve(), drawing_of(replay, (80, 19), at_ns=at_ns)))
    assert text == again, "a replay looks the same"


@pytest.mark.parametrize("live", [True, False])
def test_one_load_is_one_point_and_says_which_key_makes_more(live):
    made = make(seconds=8.0, rate_rps=20.0, ended=not live)
    view = Recorded(folded(*made.records), made.manifest, live=live)
    text = rows_of(Curve(), drawing_of(view, (80, 19)))
    assert ("raises the load" in text[0]) is live
    assert ("one load, one point" in text[0]) is not live
    assert any("20 rps" in row for row in text)


@pytest.mark.parametrize("size", SIZES)
def test_before_any_load_it_says_so(size):
    text = rows_of(Curve(), drawing_of(Recorded(Timeline(), None, live=True), size))
    assert "no load has been on" in text[0]
    assert Curve().pressed("open", drawing_of(Recorded(Timeline(), None), size)).seek_ns is None


def test_the_cursor_leads_to_the_beginning_of_a_load(source):
    drawing = drawing_of(source, (80, 19))
    view = Curve()
    assert view.pressed("open", drawing).seek_ns == START_NS + 30 * S
    view = view.pressed("row_previous", drawing).view
    assert view.pressed("open", drawing).seek_ns == START_NS + 15 * S
    text = rows_of(view, drawing)
    (pointed,) = [row for row in text if row.startswith("[") and "40 rps" in row]
    assert "".join(text[: text.index(pointed)]).count(pointed[:3]) == 1, "the same in the plot"
    assert text[-2].startswith(" 40 rps"), "and in words"
    for _ in range(5):
        view = view.pressed("row_previous", drawing).view
    assert view.pressed("open", drawing).seek_ns == START_NS
    assert view.pressed("page_next", drawing).view == Curve()


def test_a_moved_target_changes_what_is_held_at_once(run, source):
    drawing = drawing_of(source, (120, 35))
    loose = Curve()
    for _ in range(12):
        loose = loose.pressed("target_up", drawing).view
    text = rows_of(loose, drawing)
    limit = loose.own.limit
    held = sum((r.first_token_ns - r.due_ns) / 1e6 <= limit for r in run.requests) / len(run.requests)
    assert f"held by {held * 100:.1f}%" in text[0]
    assert rows_of(Curve(), drawing) != text
    assert loose.pressed("escape", drawing).view == Curve()


def test_another_session_stands_behind_with_what_differs_at_the_same_load(tmp_path, run):
    places = []
    for name, at, made in (
        ("base\x1b[31m", "100000", make(seconds=30.0, rate_rps=20.0, seed=5, changes=((15.0, 40.0),))),
        ("mine", "110000", run),
    ):
        place = tmp_path / f"20261103-{at}-{at}"
        place.mkdir()
        made.manifest = msgspec.structs.replace(made.manifest, session=SessionInfo(place.name, name, ""))
        stored(made, place, random.Random(3))
        places.append(place)
    view = SessionView(places[1])
    view.read_all()
    drawing = drawing_of(view, (120, 35))
    asked = asked_by("baseline", drawing.frame, Playhead(), False, view)
    assert asked.kind == "baseline"
    assert asked.asks == places[0].name, "the newest other one"
    offered = ["".join(text for text, _ in row) for row in others_listed(asked, view.curve.offered, drawing)]
    assert offered[0].startswith(" COMPARE WITH 1, newest first")
    assert "base" in offered[1]
    assert len(offered) == 2, "only itself is left out"
    assert safe("".join(offered), 10**6) == "".join(offered)
    view.curve.open_baseline("last")
    assert "reading the baseline" in rows_of(Curve(), drawing)[0]
    while not view.curve.baseline.ready:
        view.poll()
    text = rows_of(Curve(), drawing)
    assert safe("".join(text), 10**6) == "".join(text)
    rows = {load: next(row for row in text if f" {load} rps" in row) for load in (20, 40, 60)}
    mine, theirs = view.curve.at(view.last_ns).points, view.curve.baseline.points
    for a, b in zip(mine, theirs, strict=False):
        change = (a.ttft_p95.value / b.ttft_p95.value - 1) * 100
        assert f" {change:+.0f}%" in rows[round(a.stage.load)]
    assert "%" not in rows[60], "it had no such load"
    assert "".join(text).count("□") >= 3, "its points, and what they are of"
    assert all(point.attained is None for point in theirs), "there are no targets to hold"
    assert "ghost" in roles_of(Curve(), drawing)
    text = rows_of(Curve(), drawing)
    assert f"□ {safe(view.curve.baseline.name, 20)}" in text[0], "whose the points behind are"
    named = view.curve.baseline.name if len(view.curve.baseline.name) <= 8 else "base"
    assert any(f"p95 vs {named} " in row for row in text), "what of it is compared; no name is cut to a date"
    with pytest.raises(ValueError, match="the baseline is away"):
        asked_by("baseline", drawing.frame, Playhead(), False, view)
    assert view.curve.baseline is None
    view.close()


def test_why_two_sessions_do_not_meet_is_said(tmp_path):
    for name, at, rate in (("base", "100000", 8.0), ("mine", "110000", 20.0)):
        place = tmp_path / f"20261103-{at}-{name}"
        place.mkdir()
        made = make(seconds=6.0, rate_rps=rate)
        made.manifest = msgspec.structs.replace(made.manifest, session=SessionInfo(place.name, name, ""))
        stored(made, place, random.Random(3))
    view = SessionView(place)
    view.read_all()
    drawing = drawing_of(view, (80, 19))
    view.curve.open_baseline("base")
    assert "no load in common" not in rows_of(Curve(), drawing)[0], "it is still to be read"
    while not view.curve.baseline.ready:
        view.poll()
    assert rows_of(Curve(), drawing)[0].startswith(" no load in common with base: here 20 rps, there 8 rps")
    view.close()


def test_the_curve_of_a_frame_is_found_once(source, monkeypatch):
    drawing = drawing_of(source, (120, 35))
    rows_of(Curve(), drawing)

    def never(*_: object) -> CurveOf:
        raise AssertionError("a point was found again")

    monkeypatch.setattr("sessions.curve.memory.point_of", never)
    rows_of(Curve(), drawing)


def test_another_session_is_held_against_the_targets_of_this_one(tmp_path, run):
    made = make(seconds=15.0, rate_rps=20.0, seed=5)
    other, mine = (tmp_path / f"20261103-{at}-x" for at in ("100000", "110000"))
    for place, of in ((other, made), (mine, run)):
        place.mkdir()
        slo = ["ttft.p95<150ms"] if of is run else ["ttft.p95<1ms"]
        config = msgspec.structs.replace(of.manifest.config, slo=slo)
        of.manifest = msgspec.structs.replace(of.manifest, config=config)
        stored(of, place, random.Random(4))
    view = SessionView(mine)
    view.read_all()
    view.curve.open_baseline("last")
    while not view.curve.baseline.ready:
        view.poll()
    assert view.curve.baseline.points[0].attained.share > 0.3
    view.close()


def test_a_pareto_curve_goes_through_the_points_that_no_other_beats():
    dots = [Dot(1.0, 9.0, "x", ""), Dot(2.0, 5.0, "x", ""), Dot(1.5, 4.0, "x", ""), Dot(3.0, 5.0, "x", "")]
    through = [list(each.xs) for each in joined(dots, "pareto", "curve", ".")]
    assert through == [[1.0, 3.0]]
    assert [list(each.xs) for each in joined(dots, "ttft", "curve", ".")] == [[1, 1.5], [1.5, 2], [2, 3]]


def test_a_line_joins_steady_points_alone_and_is_dashed_where_nothing_was_measured_between(run, source):
    drawing = drawing_of(source, (120, 35))
    like = source.curve.at(source.last_ns).points[0]

    def at(load: float, verdict: str) -> Point:
        return like._replace(stage=like.stage._replace(load=load), verdict=verdict)

    def paths(*of: tuple[float, str]) -> list[tuple[float, float, bool]]:
        points = tuple(at(*one) for one in of)
        shown = Plotted(CurveOf(points, False, None, None, ()), (), None, (), None, drawing.theme, True)
        return [(*path.xs, path.dashed) for path in curve_plot.dots_of(shown, "ttft")[1]]

    kinds = ("ramp", "too_short", "settling", "drifting_up", "drifting_down")
    assert paths(*((3.0 + i, kind) for i, kind in enumerate(kinds))) == []
    assert paths((3, "steady"), (5, "too_short"), (6, "steady"), (13, "drifting_up")) == [(3, 6, False)]
    assert paths((12, "steady"), (3, "steady"), (4, "ramp")) == [(3, 12, True)]


def test_the_part_of_its_requests_that_a_row_is_of_is_named(source):
    points = source.curve.at(source.last_ns).points
    text = rows_of(Curve(), drawing_of(source, (200, 55)))
    for point in points:
        row = next(row for row in text if f" {point.stage.load:g} rps " in row and "of" in row)
        assert f"{point.first_tokens} of {point.due}" in row
    assert points[-1].first_tokens < points[-1].due
    assert f"{points[-1].first_tokens:,} of {points[-1].due:,} requests" in text[-1]


@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_each_symbol_has_one_meaning_and_none_is_one_of_the_events(source, charset):
    theme = Theme(charset=charset)
    like = source.curve.at(source.last_ns).points[0]
    kinds = ("steady", "drifting_up", "too_short", "ramp")
    points = tuple(like._replace(verdict=kind) for kind in kinds)
    marks = [mark_of(point, False, theme)[0] for point in points]
    marks += [mark_of(points[0], True, theme)[0], theme.glyph("ghost")]
    assert len(set(marks)) == len(marks)
    assert not {theme.glyph(name) for name in ("mark", "missed", "failed", "stopped")} & set(marks)
    curve = source.curve.at(source.last_ns)._replace(points=points)
    said = "".join(part for part, _ in legend(curve, "base", theme, 200))
    for mark, words in zip(marks, ("steady", "drifting up", "too short", "ramp"), strict=False):
        assert f"{mark} {words}" in said
    assert f"{marks[-1]} base" in said


@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_the_mark_of_a_step_that_is_over_is_its_verdict_in_table_plot_and_legend(source, charset):
    """Also of one that was too short to be steady: its own requests decided it."""
    theme = Theme(charset=charset)
    curve = source.curve.at(source.last_ns)
    said = dict(zip((one.stage.stretch.begin_ns for one in curve.points), STEPS, strict=False))
    points = tuple(point._replace(verdict="too_short") for point in curve.points)
    curve = curve._replace(points=points, said=tuple(said.items()))
    shown = Plotted(curve, (), None, (), points[0], theme, True, "")
    words = "".join(part for part, _ in legend(curve, "", theme, 200))
    text = ["".join(part for part, _ in row) for row in table(shown, 120, 9, "")]
    found = {dot.glyph for dot in dots_of(shown, "ttft")[0]}
    assert len(points) >= len(STEPS)
    for mark, step in zip(
        "✓✗?" if charset == "braille" else "PF?", ("passed", "failed", "undecided"), strict=True
    ):
        assert f"{mark} {'step ' * (step == 'passed')}{step}" in words
        assert any(mark in row[:3] and f"  {step}" in row for row in text)
        assert mark in found
    assert ("too short" in words) == (len(points) > len(STEPS))


def test_of_several_targets_all_held_is_not_less_than_all(run, source):
    config = msgspec.structs.replace(run.manifest.config, slo=["ttft.p95<90s", "e2e.p95<90s"])
    found = Recorded(folded(*run.records), msgspec.structs.replace(run.manifest, config=config))
    text = "\n".join(rows_of(Curve(), drawing_of(found, (120, 35))))
    assert " 100.0%" in text
    assert "<100" not in text
    assert "≤100" not in text

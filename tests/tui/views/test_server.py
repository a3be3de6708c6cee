"""The view of the server on a real timeline, without any terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from loadgen.records import TargetTick, Tick, WorkerNote
from loadgen.sketch import SketchCounts
from sessions.frame.latency_target import LatencyTarget
from telemetry.records import ServerSample
from tests.sessions.frame.first_tokens import SGLANG, TGI, VLLM, growing, its_own, ours
from tests.tui.recorded import Recorded, S, drawing, load
from tui.draw.rows import width_of
from tui.draw.theme import ROLES, Theme
from tui.views.server import Server
from tui.views.view import Drawing
from tui.views.views import whole, within

SIZES = [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60), (61, 17), (300, 20)]


def screen(drawn: Drawing) -> list[str]:
    rows = whole(drawn, Server())
    assert [width_of(row) for row in rows] == [drawn.width] * drawn.height
    assert all(role in ROLES for row in rows for _, role in row)
    assert len(Server().rows(within(drawn))) <= within(drawn).height
    return ["".join(text for text, _ in row) for row in rows]


def gauged(samples: list[ServerSample]) -> list[ServerSample]:
    for i, sample in enumerate(samples):
        sample.running, sample.waiting, sample.kv_pct = 40.0, float(i % 7), min(50.0 + i, 99.0)
        sample.preemptions, sample.prefix_hit_pct = float(i), 25.0
        sample.output_tokens, sample.prompt_tokens = 200.0 * i, 1000.0 * i
    return samples


ASKED = growing()
RUNS = {
    name: Recorded([*ours(ASKED), *gauged(list(its_own(ASKED, tells)))])
    for name, tells in (("vllm", VLLM), ("sglang", SGLANG), ("tgi", TGI), ("none", {}))
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("theme", [Theme(), Theme("ascii", "none"), Theme(colours="none")])
def test_every_size_fills_the_screen_exactly(size, name, theme):
    shown = screen(drawing(RUNS[name], size, theme=theme, view="server"))
    assert any("WHY TTFT" in row for row in shown)
    assert any("TTFT mean" in row for row in shown)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_it_says_that_ttft_rose_and_that_the_queue_did_it(size):
    shown = screen(drawing(RUNS["vllm"], size, view="server"))
    (said,) = (row for row in shown if "WHY TTFT" in row)
    # The queue grows by 50 ms a second from 20 s on: of requests that end within 55 and 60 s, about 1.6 s.
    found = re.search(r"rose by (\d\.\d+)s since 00:\d\d to a mean of (\d\.\d+)s: queue \+(\d\.\d)s", said)
    assert found is not None, said
    rose, mean, queue = map(float, found.groups())
    assert (rose, mean, queue) == (pytest.approx(1.6, abs=0.1), pytest.approx(1.73, abs=0.1), 1.6)
    text = "\n".join(shown)
    for word in ("prefill", "queue", "send lag", "REQ", "KV CACHE", "PREEMPTIONS", "PREFIX HITS", "00:"):
        assert word in text
    assert ("network and client" if size[0] > 80 else "net, client") in text


@pytest.mark.parametrize(("at_s", "unit"), [(59, "s"), (19, "ms")])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_all_parts_of_the_time_to_first_token_are_in_one_unit(size, at_s, unit):
    rows = screen(drawing(RUNS["vllm"], size, at_ns=at_s * S, view="server"))
    at = next(i for i, row in enumerate(rows) if f"TTFT mean, {unit} " in row)
    for row in rows[at : at + 4]:
        now, change = row.split()[-2:]
        shape = r"\d\.\d\d" if unit == "s" else r"\d+"
        assert re.fullmatch(shape, now), row
        assert re.fullmatch(f"[+-]{shape}", change), row


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
@pytest.mark.parametrize(("ttft_ms", "itl_ms", "name"), [(90.0, 40.0, "ITL"), (900.0, 40.0, "TTFT")])
def test_what_is_explained_is_the_latency_whose_target_is_missed(size, ttft_ms, itl_ms, name):
    samples = gauged(list(its_own(ASKED, VLLM)))
    for i, sample in enumerate(samples):
        sample.running = 4.0 if i < 60 else 43.0 if i < 119 else 0.0  # all have ended at last
    drawn = drawing(Recorded([*ours(ASKED), *samples]), size, view="server")
    targets = {
        "ttft": (LatencyTarget("p95", 500.0, ttft_ms),),
        "itl": (LatencyTarget("p95", 30.0, itl_ms),),
    }
    rows = screen(replace(drawn, frame=replace(drawn.frame, targets=targets)))
    (said,) = (row for row in rows if "WHY" in row)
    assert said.startswith(f" WHY {name} ")
    if name == "ITL":
        assert "p95 40.0 ms" in said
        assert "running at once 4 to 43" in said
        assert ("TTFT is not missed" in said) == (size[0] > 80)


def test_a_time_that_fell_or_stayed_is_said_as_well():
    steady = screen(drawing(RUNS["vllm"], (120, 40), at_ns=19 * S, view="server"))
    assert any("mean of 130 ms as at" in row and "most of it prefill 100 ms" in row for row in steady)
    falling = growing()
    turned = [type(one)(one.due_ns, queue=max(0.0, 2000.0 - one.queue)) for one in falling]
    run = Recorded([*ours(turned), *its_own(turned, VLLM)])
    assert any("fell by" in row for row in screen(drawing(run, (120, 40), view="server")))


def test_without_colours_the_parts_are_told_apart_by_their_texture():
    shown = screen(drawing(RUNS["vllm"], (120, 40), theme=Theme(colours="none"), view="server"))
    text = "\n".join(shown)
    for swatch in ("░ send lag", "▒ network and client", "▚ rest of the server", "▓ queue", "█ prefill"):
        assert swatch in text
    assert any("▓" * 5 in row[:80] for row in shown)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sglang", "this server tells no prefill times"),
        ("tgi", "this server tells no prefill times: they are in what is left"),
        ("none", "this server tells none of its own times: only ours are known"),
    ],
)
def test_what_a_server_does_not_tell_is_said(name, words):
    assert any(words in row for row in screen(drawing(RUNS[name], (120, 40), view="server")))


def test_figures_that_a_server_has_not_are_left_out_and_named():
    records = [ServerSample(i * S, 1, "m", running=3.0, waiting=1.0) for i in range(1, 20)]
    shown = screen(drawing(Recorded([*load(20), *records]), (120, 40), view="server"))
    assert not any("KV CACHE" in row for row in shown)
    (said,) = (row for row in shown if "not told by this server" in row)
    for word in ("KV cache", "preemptions", "prefix cache hits", "tokens out", "tokens in"):
        assert word in said


def test_tokens_stand_as_the_server_counts_them_beside_ours():
    shown = screen(drawing(RUNS["vllm"], (120, 40), view="server"))
    (out,) = (row for row in shown if "TOKENS/S OUT" in row)
    # 200 tokens from one reading to the next, half a second; 10 of our requests of 20 tokens end each second.
    assert re.search(r"server 400  ours \d{3}", out)


def test_a_server_that_says_nothing_leaves_a_sentence_and_what_to_do():
    for size in ((60, 16), (80, 24), (120, 40)):
        text = "\n".join(screen(drawing(Recorded(load(10)), size, view="server")))
        assert "the server has said nothing of itself yet" in text
        assert "--enable-metrics" in text
        assert "--metrics" in text


def test_requests_are_not_read_before_the_view_wants_them():
    run = Recorded([*ours(ASKED), *gauged(list(its_own(ASKED, VLLM)))])
    drawn = drawing(run, (120, 40), view="server")
    whole(drawn, None)
    assert not run.asked_for_requests
    whole(drawn, Server())
    assert run.asked_for_requests


def test_answers_without_tokens_have_no_first_one():
    records = list(load(10))
    for record in records:
        if hasattr(record, "chunks"):
            record.chunks = record.output_tokens = 0
            record.ttft_from_due = record.ttft_from_sent = []
    samples = [ServerSample(i * S, 1, "m", running=3.0) for i in range(1, 10)]
    shown = screen(drawing(Recorded([*records, *samples]), (120, 40), view="server"))
    assert any("answers have no tokens" in row for row in shown)


def test_while_the_requests_are_not_read_yet_it_says_so():
    some = [r for r in ours(ASKED) if getattr(r, "due_ns", 0) < 31 * S]
    none = [r for r in some if not hasattr(r, "due_ns")]
    for records, share in ((some, "5"), (none, "0%")):
        run = Recorded([*records, *gauged(list(its_own(ASKED, VLLM)))])
        text = "\n".join(screen(drawing(run, (120, 40), view="server")))
        assert f"our requests are still being read: {share}" in text


def test_a_long_window_says_of_how_long_a_time_its_means_are():
    drawn = drawing(RUNS["vllm"], (120, 40), window_s=600.0, view="server")
    column_s = drawn.frame.slot_ns // S
    assert column_s > 5
    assert any(f"means of the last {column_s} s" in row for row in screen(drawn))


def of_several(lost: bool) -> Recorded:
    """Three targets, of which one answers slowly, or cannot be reached since 50 s."""
    records: list[object] = list(load(60))
    for tick in records:
        if isinstance(tick, Tick):
            tick.targets = [
                TargetTick(
                    n, due=2, sent=2, succeeded=2, in_flight=n, ttft_from_due=sketched(100.0 + 200.0 * n)
                )
                for n in range(3)
            ]
    if lost:
        records.append(WorkerNote(50 * S, 0, "backing_off", "no", 2))
    return Recorded(records)


def sketched(ms: float) -> list[int]:
    counts = SketchCounts()
    counts.add(int(ms * 1e6), 2)
    return counts.take()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", [Theme(), Theme("ascii", "none")])
def test_several_targets_have_a_row_each_where_there_is_room(size, theme):
    shown = screen(drawing(of_several(lost=False), size, theme=theme, view="server"))
    if size[1] >= 24:
        assert any("BY TARGET" in row for row in shown)
        rows = [row for row in shown if re.search(r"target \d", row)]
        told = [re.findall(r"target (\d) +(\S+) +(\d+) +~?(\S+)", row)[0] for row in rows]
        assert [one[:3] for one in told] == [("0", "8.0", "0"), ("1", "8.0", "1"), ("2", "8.0", "2")]
        assert [float(one[3]) for one in told] == pytest.approx([100, 300, 500], rel=0.02)


def test_one_that_cannot_be_reached_is_named_in_its_row():
    run = of_several(lost=True)
    shown = screen(drawing(run, (120, 40), view="server"))
    (row,) = (row for row in shown if "target 2" in row and "8.0" in row)
    assert "unreachable 10 s" in row
    assert run.frame(run.last_ns, S, 60).lost_targets == ("target 2",)
    assert run.frame(40 * S, S, 60).lost_targets == ()


def test_of_one_target_there_is_no_table():
    assert not any("BY TARGET" in row for row in screen(drawing(RUNS["vllm"], (120, 40), view="server")))


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
def test_of_a_full_kv_cache_only_the_top_row_of_its_course_is_in_the_colour_of_a_breach(size):
    """It comes and goes from column to column: whole columns in that colour would be a barcode."""
    rows = Server().rows(within(drawing(RUNS["vllm"], size, view="server")))
    first = next(i for i, row in enumerate(rows) if any("KV CACHE" in text for text, _ in row))
    later = next(
        i for i, row in enumerate(rows) if i > first and any(re.search("[A-Z]{4}", text) for text, _ in row)
    )
    assert later - first >= 2
    tops = [
        [bool(re.search("[▁-█]", text)) and role == "bad" for text, role in row] for row in rows[first:later]
    ]
    assert any(tops[0]), "full towards the end: 50 % and a percent more at each reading"
    assert not any(map(any, tops[1:]))
    told = ["".join(text for text, role in rows[first] if role == of) for of in ("bad", "server")]
    assert "99%" in told[0]
    assert "full" in told[0]
    assert "%" not in told[1]

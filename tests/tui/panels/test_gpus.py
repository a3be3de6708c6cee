"""GPUs side by side: one that idles, overheats or differs has a word; many are a matrix with the worst by name."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sessions.frame.gpu_trouble import Trouble, troubles
from sessions.frame.schema import Frame, Power
from tests.tui.made_up_run import S, ramped
from tui.draw.rows import width_of
from tui.draw.theme import Theme
from tui.panels.box import plain
from tui.panels.gpu_meters import meters
from tui.panels.gpu_words import words
from tui.panels.gpus import gpus


def frame_of(count: int, **of_the_sixth) -> Frame:
    frame = ramped(lambda: 90.0, gpus=count).frame(90 * S, 60 * S, 60)
    changed = [replace(gpu, util_pct=88.0) for gpu in frame.gpus]
    if of_the_sixth:
        changed[5] = replace(changed[5], **of_the_sixth)
    return replace(frame, gpus=tuple(changed))


def text(frame: Frame, width: int, height: int, **theme) -> str:
    rows = plain(gpus(frame, width, height, Theme(**theme)), width)
    return "\n".join("".join(part for part, _ in row) for row in rows)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"util_pct": 8.0}, "IDLE?"),
        ({"util_pct": 62.0}, "skew"),
        ({"memory_used_bytes": 10 * 2**30}, "skew"),
        ({"util_pct": 70.0}, ""),
        ({"throttle": ("thermal",), "throttled_pct": 100.0}, "HEAT 100%"),
        ({"util_pct": 0.0, "excluded": "not serving"}, "not serving"),
        ({"util_pct": 0.0, "lost": True}, "lost"),
        ({"util_pct": None}, ""),
    ],
)
@pytest.mark.parametrize("count", [8, 16])
def test_a_gpu_unlike_the_others_has_a_word_and_no_other_has(values, word, count):
    said = [text for text, _ in words(frame_of(count, **values).gpus)]
    assert said == [word if i == 5 else "" for i in range(count)]


@pytest.mark.parametrize(
    ("utils", "idle"),
    [
        ((90.0, 8.0), [1]),
        ((90.0, 90.0, 8.0), [2]),
        ((90.0, 88.0, 91.0, 90.0, 8.0, 9.0, 7.0, 8.0), [4, 5, 6, 7]),
        ((90.0, 8.0, 8.0, 8.0), []),  # the load is on one: the others are no part of it
        ((45.0, 8.0), []),
    ],
)
def test_idle_beside_busy_ones_is_the_same_in_the_overview_and_in_the_view_of_gpus(utils, idle):
    few = [replace(gpu, util_pct=util) for gpu, util in zip(frame_of(len(utils)).gpus, utils, strict=True)]
    assert [i for i, (word, _) in enumerate(words(few)) if word == "IDLE?"] == idle
    assert [i for i, one in enumerate(troubles(few)) if one is Trouble.IDLE] == idle


@pytest.mark.parametrize(("width", "height"), [(38, 8), (42, 8), (79, 4), (70, 8)])
def test_an_idle_gpu_beside_busy_ones_is_flagged_in_its_row_and_in_the_title(width, height):
    shown = text(frame_of(8, util_pct=8.0), width, height)
    assert shown.count("IDLE?") == 1
    assert "least 8% #5" in shown.splitlines()[0]
    assert "mean 78%" in shown.splitlines()[0]
    assert ("SPREAD 80" in shown) == (width >= 42)
    assert "SPREAD" not in text(frame_of(8), width, height)


@pytest.mark.parametrize(("count", "each"), [(9, 8), (16, 8), (72, 8), (72, 16)])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_above_eight_every_gpu_is_a_cell_and_the_worst_are_named(count, each, charset):
    frame = frame_of(count, util_pct=8.0)
    lines = -(-count // each)
    shown = text(frame, 5 + 4 * each, lines + 2, charset=charset).splitlines()
    cells = [line.split()[1:] for line in shown[1 : 1 + lines]]
    assert [int(cell) for line in cells for cell in line] == [8 if i == 5 else 88 for i in range(count)]
    assert shown[1 + lines].strip().startswith("5 IDLE?  8%")


def test_cells_of_the_matrix_differ_in_colour_by_utilisation_and_what_is_left_out_is_counted():
    frame = frame_of(40, util_pct=8.0)
    ranged = tuple(replace(gpu, util_pct=60.0 + i) for i, gpu in enumerate(frame.gpus))
    panel = gpus(replace(frame, gpus=ranged), 42, 9, Theme())
    roles = [role for row in panel.rows for text, role in row if text.strip().isdigit()]
    assert set(roles) >= {"util2", "util3", "util4"}
    cut = "\n".join("".join(part for part, _ in row) for row in gpus(frame, 42, 4, Theme()).rows)
    assert "and 16 more" in cut


def test_values_that_are_missing_are_dashes_in_rows_and_cells():
    for count in (8, 12):
        missing = frame_of(count, util_pct=None, memory_used_bytes=None, power_w=None, temperature_c=None)
        shown = text(missing, 42, 10)
        assert "None" not in shown
        assert " -" in shown


def test_gpus_of_one_name_that_say_the_same_as_mig_instances_may_are_no_fault():
    one = frame_of(1).gpus[0]
    alike = (one, replace(one, util=one.util.copy()), replace(one, util=one.util.copy(), util_pct=8.0))
    assert [word for word, _ in words(alike)] == ["", "", "IDLE?"]


def of_nodes(nodes: dict[str, str], each: int = 4) -> Frame:
    """GPUs of several machines; in prefill they are busy, in decode less so."""
    frame = frame_of(each * len(nodes))
    hosts = [(host, role) for host, role in nodes.items() for _ in range(each)]
    utils = {"prefill": 97.0, "decode": 41.0}
    found = zip(frame.gpus, hosts, strict=True)
    return replace(
        frame,
        gpus=tuple(
            replace(gpu, label=f"{host}:{i % each}", host=host, role=role, util_pct=utils.get(role, 88.0))
            for i, (gpu, (host, role)) in enumerate(found)
        ),
    )


FOUR = {"n1": "prefill", "n2": "prefill", "n3": "decode", "n4": "decode"}


@pytest.mark.parametrize(("width", "height"), [(43, 7), (62, 7), (79, 6)])
def test_many_gpus_of_many_machines_stand_under_the_name_and_the_role_of_theirs(width, height):
    title, *shown = text(of_nodes(FOUR), width, height).splitlines()
    assert "GPU 16  prefill 97%  decode 41%" in title
    rows = [line.split() for line in shown]
    assert [row[:2] for row in rows[:4]] == [[host, role] for host, role in FOUR.items()]
    assert [row[2:] for row in rows[:4]] == [["97"] * 4, ["97"] * 4, ["41"] * 4, ["41"] * 4]


def test_where_there_is_no_room_for_machines_their_roles_are_said_at_least():
    shown = text(of_nodes(FOUR), 79, 2).splitlines()
    assert shown[1].split()[1:] == ["97"] * 8 + ["41"] * 8
    assert "prefill 97%  decode 41%" in shown[0]


@pytest.mark.parametrize("height", [8, 10])
def test_a_few_gpus_have_the_head_of_their_machine_where_it_has_room(height):
    shown = text(of_nodes({"n1": "prefill", "n2": "decode"}), 70, height)
    assert ("n1 prefill  mean 97%" in shown) == (height == 10)
    assert [shown.count(f"\n {name}") for name in ("n2:", "GPU")] == ([4, 0] if height == 8 else [0, 8])


def test_what_differs_by_its_role_is_no_fault_and_what_differs_within_it_is():
    frame = of_nodes(FOUR)
    assert {word for word, _ in words(frame.gpus)} == {""}
    assert set(troubles(frame.gpus)) == {Trouble.NONE}
    assert "SPREAD" not in text(frame, 79, 8)
    idle = (*frame.gpus[:-1], replace(frame.gpus[0], util_pct=3.0))
    assert [word for word, _ in words(idle)][-1] == "IDLE?"
    assert troubles(idle)[-1] is Trouble.IDLE


def test_gpus_of_one_machine_are_as_they_were():
    one = of_nodes({"n1": ""}, each=16)
    plain_ones = replace(one, gpus=tuple(replace(gpu, host="") for gpu in one.gpus))
    assert text(one, 79, 5) == text(plain_ones, 79, 5)
    assert "n1 " not in text(one, 79, 5)


@pytest.mark.parametrize("height", [4, 8])
@pytest.mark.parametrize("width", [43, 69, 79])
def test_what_nears_its_limit_is_warm_in_meter_figure_and_course_and_utilisation_never_is(height, width):
    frame = frame_of(1)
    busy = np.full(60, 100.0)

    def warm(**values) -> set[str]:
        usual = {"util_pct": 100.0, "util": busy, "power_w": 400.0, "power_limit_w": 700.0, "power": busy * 4}
        usual |= {"temperature_c": 60.0, "temperature": busy * 0.6, "memory_pct": busy * 0.9}
        usual |= {"memory_total_bytes": 80 * 2**30, "memory_used_bytes": 72 * 2**30}
        gpu = replace(frame.gpus[0], **{**usual, **values})
        rows = gpus(replace(frame, gpus=(gpu,)), width, height, Theme()).rows
        each = height // 4
        names = ("util", "mem", "power", "temp")
        return {
            f"{name} {role.removeprefix('meter_')}"
            for i, name in enumerate(names)
            for row in rows[i * each : (i + 1) * each]
            for _, role in row
            if role.startswith("meter_")
        }

    assert warm() == set()
    assert warm(power_w=640.0) == {"power warm"}
    assert warm(power_w=699.0, power=busy * 6.99) == {"power warm", "power hot"}
    assert warm(power=np.r_[busy[:30] * 4, busy[30:] * 6.99]) == {"power warm"}
    assert warm(temperature_c=84.0) == {"temp warm", "temp hot"}
    assert warm(memory_used_bytes=77 * 2**30) == {"mem warm"}


def test_one_gpu_has_the_width_there_is():
    rows = plain(gpus(frame_of(1), 43, 8, Theme()), 43)
    courses = ["".join(text for text, _ in row).strip() for row in rows[2::2]]
    assert len(courses) == 4
    assert all(len(course) >= 30 and not set(course) & set("0123456789━") for course in courses)


NO_DRIVER = (
    "NVML: no NVIDIA driver on this machine (libnvidia-ml.so.1 not found); a container needs --gpus all"
)


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (80, 2, NO_DRIVER),
        (41, 3, NO_DRIVER),
        (80, 1, "NVML: no NVIDIA driver on this machine (libnvidia-ml.so.1 not found)"),
        (60, 1, "NVML: no NVIDIA driver on this machine"),
        (41, 1, "NVML: no NVIDIA driver on this machine"),
    ],
)
def test_why_there_is_no_gpu_is_whole_or_shorter_and_not_cut(width: int, height: int, said: str):
    frame = replace(ramped(lambda: 90.0, gpus=0).frame(90 * S, 60 * S, 60), gpus=(), gpu_note=NO_DRIVER)
    rows = gpus(frame, width, height, Theme()).rows
    assert len(rows) <= height
    assert " ".join("".join(part for row in rows for part, _ in row).split()) == said


def test_the_power_of_all_says_over_how_long_it_is_a_mean_beside_the_meters_of_now():
    frame = replace(frame_of(2), power=Power(660.0, gpus=2))
    aside = "".join(part for part, _ in gpus(frame, 60, 8, Theme()).aside)
    assert aside == "mean 10 s 660 W"
    young = replace(frame, at_ns=frame.first_ns + 4 * S)
    assert "".join(part for part, _ in gpus(young, 60, 8, Theme()).aside) == "mean 4 s 660 W"


@pytest.mark.parametrize("width", [46, 60, 110])
def test_figures_beside_meters_end_in_the_same_cell_however_many_digits_they_have(width):
    frame = ramped(lambda: 90.0, gpus=3).frame(90 * S, 60 * S, 60)
    values = ((7.0, 9.0, 5.0), (100.0, 99.0, 610.0), (88.0, None, 57.0))
    every = tuple(
        replace(
            gpu, util_pct=util, temperature_c=heat, power_w=power, memory_used_bytes=int(heat or 40) << 29
        )
        for gpu, (util, heat, power) in zip(frame.gpus, values, strict=True)
    )
    ends = []
    for row in gpus(replace(frame, gpus=every), width, 3, Theme()).rows:
        figures = [i for i, (text, _) in enumerate(row) if re.search(r"(\d(%|°C|W|G| MHz)|-)$", text)]
        ends.append([width_of(row[: i + 1]) for i in figures])
    assert len(ends) == 3
    assert len(ends[0]) >= 4
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize(("width", "meter"), [(39, 8), (59, 15), (110, 38)])
def test_meters_of_one_gpu_end_in_the_same_cell_and_the_figures_behind_them_too(width, meter):
    """The meter has half of what is left of 7 cells of name and of 15, 22 or 26 of figures."""
    (gpu,) = ramped(lambda: 90.0).frame(90 * S, 60 * S, 60).gpus
    gpu = replace(gpu, util_pct=7.0, temperature_c=101.0, power_w=62.0, memory_used_bytes=9 * 2**30)
    rows = ["".join(part for part, _ in row) for row in meters(gpu, ("", ""), 60, width, 4, Theme())]
    assert [len(row) for row in rows] == [width] * 4
    assert not any(re.search(r"[\s\d]", row[7 : 7 + meter]) for row in rows)
    figures = [row[7 + meter : 7 + meter + 6] for row in rows]
    assert figures == ["    7%", "   9.0", "    62", "   101"]
    assert all(row[-1] in "▁▂▃▄▅▆▇█" for row in rows), "and courses at the right"

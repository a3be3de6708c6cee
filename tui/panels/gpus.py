"""What the GPUs say of themselves: a row each, or, of many, a matrix of cells and the worst by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from textwrap import wrap

import numpy as np

from sessions.frame.gpu_trouble import counted
from sessions.frame.gpus import RECENT_NS
from sessions.frame.schema import Frame, Gpu
from tui.draw import numbers
from tui.draw.layout import MATRIX_ABOVE
from tui.draw.rows import Field, Row, Span, fitted, width_of
from tui.draw.text import fit, safe
from tui.draw.theme import Theme
from tui.panels.box import Panel
from tui.panels.gpu_groups import Group, are_told_apart, by_role, groups
from tui.panels.gpu_meters import (
    HEAT,
    at_limit,
    dim_reason,
    meters,
    name_of,
    near,
    role_of,
    spark_row,
    used,
)
from tui.panels.gpu_words import words
from tui.plots.bars import bar
from tui.plots.scale import PERCENT

SPREAD_PCT = 30.0
"""From so far between the least and the most utilised GPU on, the spread is said loudly."""
_CELL = 4
_LEVELS = (20.0, 50.0, 80.0, 95.0)
"""Of utilisation, where the colour of a cell of the matrix changes."""


def across(width: int) -> int:
    """How many GPUs a row of the matrix holds: a whole number of machines of eight, where it can be."""
    cells = max((width - 5) // _CELL, 1)
    return cells // 8 * 8 if cells >= 8 else cells


def gpus(frame: Frame, width: int, height: int, theme: Theme) -> Panel:
    """In at most `height` rows of `width` cells."""
    if not frame.gpus:
        title = [Field(0, ("GPU", "title"))]
        lines = _note_lines(safe(frame.gpu_note), max(width - 2, 1), height)
        return Panel(title, [fitted([(" ", ""), (line, "dim")], width) for line in lines])
    said = words(frame.gpus)
    if len(frame.gpus) > MATRIX_ABOVE:
        rows = _matrix(frame.gpus, said, width, height, theme)
    else:
        each = next((rows for rows in (8, 4) if rows * len(frame.gpus) <= height), 1)
        rows = _lines(frame, said, width, theme) if each == 1 else _rows(frame, said, width, each, theme)
        found = groups(frame.gpus)
        if each == 1 and are_told_apart(found) and len(rows) + len(found) <= height:
            bare = tuple(replace(gpu, label=gpu.label.rpartition(":")[2]) for gpu in frame.gpus)
            rows = _lines(replace(frame, gpus=bare), said, width, theme)
            rows = [row for group in found for row in (_head(frame, group), *(rows[n] for n in group.gpus))]
        if len(rows) > height:  # two to a row
            half = _lines(frame, said, width // 2 - 1, theme)
            half += [[]] * (len(half) % 2)
            rows = [
                [*fitted(a, width // 2), *fitted(b, width - width // 2)]
                for a, b in zip(half[::2], half[1::2], strict=True)
            ]
    return Panel(_summary(frame, said), rows[:height], _power(frame))


def _note_lines(note: str, width: int, height: int) -> list[str]:
    """A sentence in so many rows: where it has no room whole, then without what to do about it, then without
    what stands in brackets, which the view of GPUs has; cut only where that is too long as well."""
    first = note.partition(";")[0]
    lines: list[str] = []
    for said in (note, first, re.sub(r" \([^)]*\)", "", first)):
        lines = wrap(said, width, break_on_hyphens=False)
        if len(lines) <= height:
            return lines
    last = max(height - 1, 0)
    return [*lines[:last], fit(" ".join(lines[last:]), width)][:height]


def _lines(frame: Frame, said: Sequence[Span], width: int, theme: Theme) -> list[Row]:
    """A row each, a blank from what is before it."""
    return [[(" ", ""), *row] for row in _rows(frame, said, width - 1, 1, theme)]


def _summary(frame: Frame, said: Sequence[Span]) -> list[Field]:
    """Mean, least and most, and whether they lie far apart."""
    title: list[Field] = [Field(0, ("GPU", "title"), (f" {len(frame.gpus)}", "label"))]
    if len(frame.gpus) == 1:
        return [Field(0, ("GPU", "title")), Field(2, (safe(frame.gpus[0].name, 30), "dim"))]
    working = counted(frame.gpus)
    if not working:
        return title
    if roles := by_role(frame.gpus):
        return [*title, *(Field(1, *role) for role in roles)]
    util = [gpu.util_pct or 0.0 for gpu in working]
    least, most = int(np.argmin(util)), int(np.argmax(util))
    apart = util[most] - util[least] >= SPREAD_PCT
    role = "warn" if apart else ""
    title.append(Field(1, ("mean ", "label"), (f"{np.mean(util):.0f}%", "gpu")))
    if round(util[least]) < round(util[most]):
        title.append(
            Field(
                0,
                ("least ", "label"),
                (f"{util[least]:.0f}%", role),
                (f" {_numbered(working[least])}", role or "dim"),
            )
        )
        title.append(Field(3, ("most ", "label"), (f"{util[most]:.0f}%", role)))
    if apart:
        title.append(Field(2, (f"SPREAD {util[most] - util[least]:.0f}", "warn")))
    return title


def _numbered(gpu: Gpu) -> str:
    label = safe(gpu.label, 12)
    return label if ":" in label else f"#{label}"


def _power(frame: Frame) -> list[Span]:
    watts = frame.power.watts
    if watts is None:
        return []
    said = f"{watts:.0f} W" if watts < 9999.5 else f"{watts / 1000:.1f} kW"
    over_s = min(RECENT_NS, max(frame.at_ns - frame.first_ns, 0)) / 1e9
    mean: Span = (f"mean {over_s:.0f} s ", "label")  # beside meters of what is drawn at this instant
    return [mean, (said, "gpu"), *([(" integrated", "dim")] if frame.power.integrated else [])]


def columns_so_far(frame: Frame) -> int:
    """Those after the one that holds the playhead are still to come."""
    open_column = max(frame.at_ns - 1 - frame.start_ns, 0) // max(frame.slot_ns, 1)
    return int(min(open_column + 1, frame.slots))


def _rows(frame: Frame, said: Sequence[Span], width: int, each: int, theme: Theme) -> list[Row]:
    upto = columns_so_far(frame)
    labels = [safe(gpu.label, 24) for gpu in frame.gpus]
    gpu_word = 0 if any(":" in label for label in labels) else 4  # `GPU`, which a narrow column does without
    name = min(max(map(len, labels)), 8) + gpu_word
    if each > 1:
        return [
            row
            for gpu, word in zip(frame.gpus, said, strict=True)
            for row in meters(gpu, word, upto, width, each, theme)
        ]
    room = width - 1 - (name if width >= 44 else max(name - gpu_word, 2))
    room -= sum(cells + 1 for cells, _ in _cells(frame.gpus[0], room, theme))
    course = max(room // 2, min(room, 9))
    meter = room - course - 2
    if meter < 4:
        course, meter = max(room - 1, 0), 0
    return [
        _one(gpu, word, upto, width, (name if width >= 44 else max(name - gpu_word, 2), meter, course), theme)
        for gpu, word in zip(frame.gpus, said, strict=True)
    ]


def _cells(gpu: Gpu, room: int, theme: Theme) -> list[tuple[int, Span]]:
    """Figures of one row with the cells they take, as many of them as leave room for meter and sparkline."""
    activity = [
        (7, (f"SM {gpu.sm_pct:.0f}%", "gpu")) if gpu.sm_pct is not None else None,
        (9, (f"DRAM {gpu.dram_pct:.0f}%", "")) if gpu.dram_pct is not None else None,
    ]
    wide: list[tuple[int, Span]] = [
        (4, (numbers.whole(gpu.util_pct, "%"), "gpu")),
        *[one for one in activity if one is not None],
        (10, (used(gpu, unit="G"), "")),
        (8, (f"{numbers.whole(gpu.power_w)}/{numbers.whole(gpu.power_limit_w)}W", near(*at_limit(gpu)))),
        (5, (numbers.whole(gpu.temperature_c, theme.glyph("degree")), near(gpu.temperature_c, HEAT))),
        (8, (numbers.whole(gpu.sm_clock_mhz, " MHz"), "dim")),
    ]
    if room >= 60:
        return wide if sum(cells + 1 for cells, _ in wide) <= room - 18 else wide[:-1]
    memory = numbers.gib(gpu.memory_used_bytes) + "G" * (gpu.memory_used_bytes is not None)
    return [wide[0], (5, (memory, "")), (4, (numbers.whole(gpu.power_w, "W"), "")), wide[-2]]


def _one(gpu: Gpu, word: Span, upto: int, width: int, cells: tuple[int, int, int], theme: Theme) -> Row:
    """Name, meter, figures, and its last seconds, or in their place what is wrong with it."""
    name, meter, course = cells
    label = name_of(gpu) if name >= 5 or ":" in gpu.label else safe(gpu.label, 24)
    role = role_of(gpu, word)
    share = None if gpu.util_pct is None else gpu.util_pct / 100
    dot = theme.glyph("dot") if gpu.serving else " "
    row: Row = [
        (fit(label, name), "label"),
        (dot, "ok"),
        *bar([(share, role)], meter, ascii_only=theme.ascii_only),
    ]
    grey = bool(dim_reason(gpu)[0])
    for room, (text, own) in _cells(gpu, width - 1 - name, theme):
        if word[0] and width_of(row) + 1 + room + 1 + len(word[0]) > width:
            continue  # what is wrong with it says more
        row += [(" ", ""), (text.rjust(room), "thin" if grey else own)]
    row.append((" ", ""))
    if word[0]:
        left = width - width_of(row)
        return [*row, (word[0] if len(word[0]) <= left else fit(word[0], left), word[1])]
    return [*row, *spark_row(gpu.util, PERCENT, course, role, upto, theme)]


def _matrix(
    all_gpus: Sequence[Gpu], said: Sequence[Span], width: int, height: int, theme: Theme
) -> list[Row]:
    """A cell a GPU, coloured by its utilisation; below them the worst by name, and how many are left out."""
    rows = _cells_by_group(all_gpus, said, width, height - 1) or _cells_in_a_row(
        all_gpus, said, width, height
    )
    worst = [(gpu, word) for gpu, word in zip(all_gpus, said, strict=True) if word[1] in ("bad", "warn")]
    worst.sort(key=lambda one: one[1][1] != "bad")
    room = height - len(rows)
    if not worst and room > 0:
        rows.append([("     none stands out", "dim")])
    for i, (gpu, word) in enumerate(worst[:room]):
        rest = len(worst) - room
        more = f"  and {rest} more" if i == room - 1 and rest > 0 else ""
        row = [(f" {safe(gpu.label, 12)} ", "strong"), word, (f"  {numbers.whole(gpu.util_pct)}%", "")]
        watts = f"  {numbers.whole(gpu.power_w)}W {numbers.whole(gpu.temperature_c)}{theme.glyph('degree')}"
        rows.append([*row, (watts, "dim"), (more, "warn")])
    return rows


def _cells_in_a_row(all_gpus: Sequence[Gpu], said: Sequence[Span], width: int, height: int) -> list[Row]:
    each = across(width)
    whole = -(-len(all_gpus) // each)
    lines = min(whole, max(height - 1, 1))
    rows: list[Row] = []
    for i in range(lines):
        own = range(i * each, min((i + 1) * each, len(all_gpus)))
        rows.append([(f"{i * each:>4} ", "label"), *_some_cells(all_gpus, said, own)])
    if whole > lines:
        rows[-1].append((f"and {len(all_gpus) - lines * each} more", "dim"))
    return rows


def _cells_by_group(all_gpus: Sequence[Gpu], said: Sequence[Span], width: int, height: int) -> list[Row]:
    """A row or more for each machine, under its name; none where they are not told apart, or have no room."""
    found = groups(all_gpus)
    name = max(len(group.name) for group in found)
    each = across(width - name + 3)
    if not are_told_apart(found) or sum(-(-len(group.gpus) // each) for group in found) > height:
        return []
    rows: list[Row] = []
    for group in found:
        for i in range(0, len(group.gpus), each):
            label = f" {group.name if not i else '':<{name}} "
            rows.append([(label, "label"), *_some_cells(all_gpus, said, group.gpus[i : i + each])])
    return rows


def _some_cells(all_gpus: Sequence[Gpu], said: Sequence[Span], numbers_of: Iterable[int]) -> Row:
    row: Row = []
    for number in numbers_of:
        row += [(_cell(all_gpus[number]), _cell_role(all_gpus[number], said[number])), (" ", "")]
    return row


def _head(frame: Frame, group: Group) -> Row:
    """Of a machine: what it does, and how much of it."""
    own = [frame.gpus[number] for number in group.gpus]
    utils = [gpu.util_pct for gpu in own if gpu.util_pct is not None]
    mean = f"  mean {sum(utils) / len(utils):.0f}%" if utils else ""
    watts = [gpu.power_w for gpu in own if gpu.power_w is not None]
    power = f"  {sum(watts):.0f} W" if watts else ""
    return [(f" {group.name}", "strong"), (f"{mean}{power}", "dim")]


def _cell(gpu: Gpu) -> str:
    if gpu.util_pct is None or dim_reason(gpu)[0]:
        return "  -"
    return f"{gpu.util_pct:3.0f}"


def _cell_role(gpu: Gpu, word: Span) -> str:
    if word[1] in ("bad", "warn"):
        return "alarm" if word[1] == "bad" else "alert"
    if gpu.util_pct is None or dim_reason(gpu)[0]:
        return "thin"
    return f"util{sum(gpu.util_pct >= level for level in _LEVELS)}"

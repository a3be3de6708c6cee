"""How much time the charts span. Pure."""

from __future__ import annotations

WINDOWS_S: tuple[float | None, ...] = (30.0, 60.0, 300.0, None)
"""What `w` steps through; None is the whole run."""

# Whole multiples of a worker's tick, so that no column is without data only because no tick closed in it.
_COLUMN_MS = (
    *(250, 500, 750, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 7500, 10_000, 12_000, 15_000),
    *(20_000, 30_000, 40_000, 60_000, 90_000, 120_000, 180_000, 240_000, 300_000, 450_000, 600_000),
    *(900_000, 1_200_000, 1_800_000, 2_700_000),
)


def column_ns(window_s: float | None, run_ns: int, columns: int) -> int:
    """The time one chart column covers, so that `columns` of them span at least the window.

    A window of None spans the `run_ns` so far. Lengths are round, so that the axis' labels fall on columns.
    """
    wanted_ns = run_ns if window_s is None else round(window_s * 1e9)
    least_ns = max(wanted_ns, 10_000_000_000) / max(columns, 1)
    for length_ms in _COLUMN_MS:
        if length_ms * 1_000_000 >= least_ns:
            return length_ms * 1_000_000
    minutes = 60
    while minutes * 60_000_000_000 < least_ns:
        minutes *= 2
    return minutes * 60_000_000_000


def window_label(window_s: float | None) -> str:
    if window_s is None:
        return "all"
    number, unit = (window_s, "s") if window_s < 120 else (window_s / 60, "m")
    return f"{number:.2g}{unit}" if number < 10 else f"{number:.0f}{unit}"


def drawn_label(window_s: float | None, drawn_ns: int) -> str:
    """What the columns span, where that is not the window: less of a young run, more where they are round."""
    if window_s is None:
        return "all"
    drawn, window = window_label(drawn_ns / 1e9), window_label(window_s)
    return f"{drawn} of {window}" if drawn_ns < round(window_s * 1e9) else drawn

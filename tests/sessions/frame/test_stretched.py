"""Columns narrower than a tick: what the ticks said, wider."""

from __future__ import annotations

import numpy as np

from sessions.frame.stretched import stretched
from tests.tui.made_up_run import S, ramped


def test_each_tick_is_drawn_in_several_columns_of_every_series_and_marks_keep_their_instant() -> None:
    view = ramped(lambda: 46.3, gpus=2)
    narrow = view.frame(46 * S, 10 * S, 40, 36 * S)
    wide = stretched(narrow, 2, 79)
    assert (wide.slots, wide.slot_ns, wide.start_ns) == (79, S // 8, 36 * S)
    for of in (
        lambda frame: frame.ttft.p95, lambda frame: frame.offered, lambda frame: frame.gpus[1].power,
        lambda frame: frame.server.kv,
    ):  # fmt: skip
        expected = [of(narrow)[i // 2] for i in range(79)]
        assert np.array_equal(of(wide), expected, equal_nan=True)
    for mark in wide.marks:
        if mark.slot is not None:
            begin = 36 * S + mark.slot * S // 8
            assert begin < mark.t_ns <= begin + S // 8
    assert sum(mark.slot is not None for mark in wide.marks) == sum(m.slot is not None for m in narrow.marks)
    assert wide.ttft_recent == narrow.ttft_recent

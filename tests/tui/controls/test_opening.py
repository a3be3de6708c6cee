"""A replay opens where there is something to be seen."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tui.controls.opening import telling_ns

S = 1_000_000_000


@pytest.mark.parametrize(
    ("states", "expected_s"),
    [
        ([(1, "running")], 120.0),
        ([(1, "running"), (115, "draining"), (120, "ended")], 120.0),
        ([(1, "running"), (50, "draining"), (120, "ended")], 49.75),
        ([(1, "running"), (50, "holding"), (120, "ended")], 120.0),
        ([(1, "draining"), (120, "ended")], 1.0),
    ],
)
def test_the_last_instant_under_load_where_the_end_is_idle_else_the_end(states, expected_s):
    timeline = SimpleNamespace(states=[(t_s * S, state, "") for t_s, state in states])
    source = SimpleNamespace(timeline=timeline, first_ns=S, last_ns=120 * S)
    assert telling_ns(source) == expected_s * S

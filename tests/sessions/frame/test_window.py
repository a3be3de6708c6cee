"""A frame says whether the load that is on is steady."""

from __future__ import annotations

from sessions.frame.build import build
from sessions.steady.stretch import WindowNow
from sessions.store.records import LoadChange
from tests.sessions.steady.test_stretch import S, ticks
from tests.sessions.summary.summing import manifest
from tests.sessions.timeline.folding import folded


def test_a_frame_has_the_window_of_the_load_that_is_on_at_its_instant() -> None:
    timeline = folded(
        LoadChange(S, "start", rate_rps=8.0),
        *ticks(1, 61),
        LoadChange(61 * S, "rate", rate_rps=16.0),
        *ticks(61, 121, rps=16.0, grows=8.0),
        LoadChange(121 * S, "hold", rate_rps=0.0),
    )
    windows = WindowNow(timeline)
    said = {}
    for at_s in (0.5, 3, 60, 63, 120, 122):
        at_ns = round(at_s * S)
        frame = build(
            timeline, manifest(), at_ns=at_ns, window_ns=60 * S, slots=60, live=True, killed=False,
            windows=windows,
        )  # fmt: skip
        said[at_s] = frame.window and frame.window.verdict
    assert said == {0.5: None, 3: "settling", 60: "steady", 63: "settling", 120: "drifting_up", 122: None}
    bare = build(timeline, None, at_ns=60 * S, window_ns=60 * S, slots=60, live=True, killed=False)
    assert bare.window is None, "nobody said what was asked for"

"""Where the keys of time take the playhead. Pure, but for the marks that it asks the session for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tui.controls.playhead import Playhead, next_mark_ns, previous_mark_ns
from tui.controls.session_source import SessionSource

TICK_NS = 250_000_000
SEEKS_NS: Mapping[str, int] = {
    "back": -5_000_000_000,
    "forward": 5_000_000_000,
    "back_far": -60_000_000_000,
    "forward_far": 60_000_000_000,
    "tick_back": -TICK_NS,
    "tick_forward": TICK_NS,
}
ACTIONS = (*SEEKS_NS, "to_start", "to_end", "play", "slower", "faster", "next_mark", "previous_mark")
"""The actions of the key table that move the playhead."""
_STOPS = ("load", "mark", "limit", "warning", "error")
"""Events to which `n` and `N` go."""


def moved(action: str, playhead: Playhead, source: SessionSource) -> Playhead | str:
    """The playhead after one of `ACTIONS`; or why it stays where it is, in a few words."""
    first_ns, last_ns, live = source.first_ns, source.last_ns, source.live
    if action == "play":
        return playhead.toggled(first_ns, last_ns)
    if action in ("slower", "faster"):
        return _paced(playhead, 1 if action == "faster" else -1, live)
    if action in SEEKS_NS:
        to_ns = playhead.at_ns + SEEKS_NS[action]
    elif action in ("to_start", "to_end"):
        to_ns = first_ns if action == "to_start" else last_ns
    else:
        newest = source.frame(last_ns, TICK_NS, 1)
        times = sorted(mark.t_ns for mark in newest.marks if mark.kind in _STOPS)
        forward = action == "next_mark"
        found_ns = (next_mark_ns if forward else previous_mark_ns)(times, playhead.at_ns)
        if found_ns is None and newest.limits_pending:
            return "the run is still searched for its limits: once more in a moment"
        if found_ns is None:
            return f"no mark {'after' if forward else 'before'} this one"
        to_ns = found_ns
    return playhead.sought(to_ns, first_ns, last_ns, live)


def _paced(playhead: Playhead, notches: int, live: bool) -> Playhead | str:
    if playhead.following:
        return "now is shown at its own pace: go back first (left)"
    paced = playhead.paced(notches)
    # In a live run's past there is no play key (space holds the load): a change of speed starts playing.
    return replace(paced, playing=paced.playing or live)

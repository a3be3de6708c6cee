"""Words of a session that a screen writes in another way than its files do."""

from __future__ import annotations

import re

from sessions.bottleneck.names import limit_name as limit_name


def limit_event(label: str) -> str:
    """The words of an event of what binds, `binds: headroom  queue 0`, without the first."""
    return label.removeprefix("binds: ")


def verdict(name: str) -> str:
    """A verdict on a load, as people read it; `sessions.steady.verdict` has the names."""
    return name.replace("_", " ")


def load_change(label: str, *, ascii_only: bool) -> str:
    """A change of load, recorded as `8 -> 12 rps`, with an arrow where there is one."""
    return label if ascii_only else label.replace(" -> ", " → ")


def load_after(label: str) -> str:
    """What a change of load led to: `12 rps`. Older sessions have `8 > 12 rps`."""
    return re.split("→|>", label)[-1].strip()

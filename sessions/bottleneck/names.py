"""Names of limits, as people read them; `sessions.bottleneck.rules` has those that files keep."""

from __future__ import annotations

_SHOWN = {"room": "headroom"}


def limit_name(name: str) -> str:
    return _SHOWN.get(name, name)

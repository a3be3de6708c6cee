"""Waits for a pipe, whatever the number of its descriptor: `select` refuses those from 1,024 on."""

from __future__ import annotations

import select


def readable(descriptor: int, timeout_s: float) -> bool:
    """Whether a read would not block: there are bytes, or the end. Of terminals macOS cannot tell."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(max(0.0, timeout_s) * 1000))

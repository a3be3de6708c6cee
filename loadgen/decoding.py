"""Types that msgspec decodes into are looked into by one thread at a time.

msgspec finds out at the first use of a `Struct` what its fields are, and runs Python meanwhile. A second
thread that uses it then meets fields that are not there yet: SIGSEGV (seen with msgspec 0.22.0).
"""

from __future__ import annotations

import threading
from typing import TypeVar

import msgspec

Decoded = TypeVar("Decoded")

_lock = threading.RLock()
_ready: set[object] = set()


def ready(of: Decoded) -> Decoded:
    """`of`, which is a type, after all types in it are known to msgspec."""
    with _lock:
        if of not in _ready:
            msgspec.json.Decoder(of)
            _ready.add(of)
    return of

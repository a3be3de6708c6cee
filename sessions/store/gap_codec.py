"""Token gaps as text that compresses well: a third smaller than the same numbers in digits.

Each gap is a number of microseconds of 24 bits, four characters of base64. All first characters come
first, then all second ones, and so on: the high characters hardly vary and cost next to nothing.
"""

from __future__ import annotations

import base64
import string
import sys
from array import array

PACKED_MOST_US = (1 << 24) - 1
ALPHABET = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
"""Of base64: the place of a character is its value."""


def encode_gaps(gaps_us: list[int]) -> str | None:
    """The packed text; None when there is nothing to pack or a gap (16.8 s or more) does not fit."""
    if not gaps_us or max(gaps_us) > PACKED_MOST_US or min(gaps_us) < 0:
        return None
    words = array("I", gaps_us)
    if sys.byteorder == "little":
        words.byteswap()
    octets = bytearray(words.tobytes())
    del octets[0::4]
    text = base64.b64encode(octets)
    return b"".join(text[i::4] for i in range(4)).decode("ascii")


def check_packed(text: str) -> None:
    """Raises ValueError where `text` is none that `encode_gaps` makes; decoding it later cannot fail then."""
    if len(text) % 4:
        raise ValueError(f"{len(text)} characters, need a multiple of 4")
    if text.encode("ascii", "replace").translate(None, ALPHABET):
        raise ValueError("a character that is none of base64")


def decode_gaps(text: str) -> list[int]:
    """The gaps of a packed text that `check_packed` has let pass."""
    planes = text.encode("ascii")
    n = len(planes) // 4
    mixed = bytearray(len(planes))
    for i in range(4):
        mixed[i::4] = planes[i * n : (i + 1) * n]
    octets = base64.b64decode(mixed)
    wide = bytearray(4 * n)
    for i in range(3):
        wide[i + 1 :: 4] = octets[i::3]
    words = array("I", bytes(wide))
    if sys.byteorder == "little":
        words.byteswap()
    return words.tolist()

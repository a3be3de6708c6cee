"""What a GPU costs an hour: a table the user keeps, in TOML. Without a table there is no money figure.

Looked for at the path that was given, else in the user's configuration directory. The table that ships
with ttftop (`sessions/summary/prices.example.toml`) is an example to copy and is never read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli

from loadgen.decoding import ready
from loadgen.errors import printable
from loadgen.small_file import FileError, read_small
from sessions.user_directory import user_directory

FILE = "prices.toml"
EXAMPLE = Path(__file__).with_name("prices.example.toml")
CAP_BYTES = 256 << 10
KEYS = ("currency", "dated", "gpu")
ROW_KEYS = ("name", "per_hour")


class PriceError(Exception):
    """A table that cannot be used: one line naming the file, what is wrong, and what is allowed."""


class GpuPrice(msgspec.Struct, frozen=True):
    """A row `[[gpu]]`."""

    name: str
    """Whole words of the name that the driver gives the GPU, in any case. The longest that fits holds."""
    per_hour: float
    """Money for one GPU for one hour."""


class Prices(msgspec.Struct, frozen=True):
    """A table, and where it was read."""

    gpu: tuple[GpuPrice, ...]
    currency: str = ""
    dated: str = ""
    """The day for which the prices hold, as the table says it."""
    path: str = ""

    def per_hour(self, gpu_name: str) -> float | None:
        """The price of one GPU for an hour; None when the table does not know it."""
        fitting = [row for row in self.gpu if _named(row.name, gpu_name)]
        return max(fitting, key=lambda row: len(row.name)).per_hour if fitting else None

    def together_per_hour(self, gpu_names: Sequence[str]) -> float | None:
        """The price of all of them for an hour; None when there are none or one has no price."""
        each = [self.per_hour(name) for name in gpu_names]
        known = [price for price in each if price is not None]
        return sum(known) if known and len(known) == len(each) else None


def _known(written: dict[str, Any], path: Path) -> None:
    """Raises:
    PriceError: a key means nothing; what is meant may be one that a price or its currency then lacks.
    """
    from difflib import get_close_matches

    rows = written.get("gpu")
    places: list[tuple[str, Any, tuple[str, ...]]] = [("", written, KEYS)]
    places += [("in [[gpu]], ", row, ROW_KEYS) for row in (rows if isinstance(rows, list) else ())]
    for where, table, known in places:
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.5)
                tail = f"did you mean {near[0]}?" if near else f"need {', '.join(known)}"
                raise PriceError(f"{path}: {where}unknown key {printable(key, 40)!r}, {tail}")


def _named(words: str, gpu_name: str) -> bool:
    """`L4` is in `NVIDIA L4`, not in `NVIDIA L40S`."""
    return re.search(rf"(?<![^\W_]){re.escape(words)}(?![^\W_])", gpu_name, re.IGNORECASE) is not None


def default_path() -> Path | None:
    """Where a user's own table is looked for; None where no home directory is known."""
    place = user_directory("config")
    return None if place is None else place / FILE


def load(path: Path | None = None) -> Prices | None:
    """The table at `path`; without one the user's own, or None when there is none.

    Raises:
        PriceError: it cannot be read, or is no table of prices.
    """
    if path is None:
        path = default_path()
        if path is None or not path.is_file():
            return None
    try:
        written = tomli.loads(read_small(path, CAP_BYTES, or_pipe=True).data.decode("utf-8-sig"))
    except FileError as error:
        why = str(error).removeprefix("cannot read it: ")
        raise PriceError(f"{path}: {why} (need it as {EXAMPLE})") from None
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PriceError(f"{path}: not TOML: {error} (need it as {EXAMPLE})") from None
    except RecursionError:
        raise PriceError(f"{path}: not TOML that can be read: too deep (need it as {EXAMPLE})") from None
    try:
        _known(written, path)
        table = msgspec.convert(written, ready(Prices))
    except msgspec.ValidationError as error:
        raise PriceError(f"{path}: {error} (need it as {EXAMPLE})") from None
    for row in table.gpu:
        if not row.name.strip():
            raise PriceError(f"{path}: a [[gpu]] without a name would fit every GPU; give each a name")
        if not 0 <= row.per_hour < 1e9:
            raise PriceError(f"{path}: {row.name}: per_hour = {row.per_hour:g}, need a price of 0 or more")
    return msgspec.structs.replace(table, path=str(path))

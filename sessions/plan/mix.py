"""Parts of a mix: kinds of requests beside each other, each with its weight and the tag of its requests.

A part is also a preset: what requests ask for while a run goes on, at the press of a key.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence

import msgspec

from loadgen.endpoint_names import EndpointName
from loadgen.small_file import FileError, check_small
from loadgen.workload.body_fields import BodyError, parse_body
from loadgen.workload.lengths import LengthError, parse_lengths
from loadgen.workload.prefixes import PrefixError, parse_prefixes
from loadgen.workload.prompt_source import MOST_BYTES

MOST_PARTS = 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}")


class MixError(ValueError):
    """A part, or a mix, that cannot be: one line. `key`: of the part; empty where it is of all."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class MixPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One kind of request. What is None is as the run's."""

    name: str
    """The tag of its requests."""
    weight: float = 1.0
    """Its share is this over the sum of all."""
    input_tokens: int | str | None = None
    output_tokens: int | str | None = None
    prefix: str | None = None
    prompts: str | None = None
    body: list[str] = []
    """Fields more than the run's, each `key=json`: a LoRA adapter, a priority."""
    model: str | None = None
    endpoint: EndpointName | None = None


AS_ASKED = "as asked"
"""Beside the presets: what the run was started with."""
PRESETS = (
    MixPart(name="short-chat", input_tokens=128, output_tokens=128),
    MixPart(name="long-context", input_tokens=8000, output_tokens=200),
    MixPart(name="long-answer", input_tokens=256, output_tokens=1024),
)
"""Those that every run has."""


def check_part(part: MixPart) -> None:
    """Raises:
    MixError: the part cannot be.
    """
    if not _NAME.fullmatch(part.name):
        raise MixError(
            f"got {part.name[:60]!r}, need a letter, then letters, digits and . _ -, at most 40", "name"
        )
    if not math.isfinite(part.weight) or part.weight <= 0:
        raise MixError(f"got {part.weight:g}, need a number above 0", "weight")
    if part.model is not None and not 0 < len(part.model) <= 500:
        raise MixError("need a model's name of 1 to 500 characters", "model")
    for key in ("input_tokens", "output_tokens", "prefix", "prompts", "body"):
        value = getattr(part, key)
        try:
            if value is None or value in ("", []):
                continue
            if key == "prefix":
                parse_prefixes(value)
            elif key == "prompts":
                check_prompts(value)
            elif key == "body":
                parse_body(value)
            else:
                parse_lengths(value)
        except (LengthError, PrefixError, BodyError) as error:
            raise MixError(str(error), key) from None


def check_prompts(path: str) -> None:
    """Raises:
    MixError: there is no such file, or it is too large; what it holds is looked at when a run begins.
    """
    try:
        check_small(path, MOST_BYTES)
    except FileError as error:
        raise MixError(f"{path[:200]}: {error}", "prompts") from None


def parse_mix(text: str, known: Sequence[MixPart]) -> list[MixPart]:
    """`chat:0.7,rag:0.3`: parts by their names, each with a weight of this mix.

    Raises:
        MixError: it is none, or names one that is not `known`.
    """
    parts = {part.name: part for part in known}
    found: dict[str, MixPart] = {}
    for word in text.split(","):
        name, colon, number = (each.strip() for each in word.partition(":"))
        if name not in parts:
            near = difflib.get_close_matches(name, parts, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"need one of {', '.join(parts)}"
            raise MixError(f"got {text[:60]!r}: there is no part {name[:40]!r}; {hint}"[:300])
        if name in found:
            raise MixError(f"got {text[:60]!r}: {name} stands twice")
        try:
            weight = float(number) if colon else 1.0
        except ValueError:
            weight = math.nan
        if not math.isfinite(weight) or weight <= 0:
            raise MixError(f"got {text[:60]!r}, need NAME:WEIGHT,..., each weight a number above 0")
        found[name] = msgspec.structs.replace(parts[name], weight=weight)
    return list(found.values())

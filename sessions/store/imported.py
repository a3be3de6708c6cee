"""What a manifest says of a session that another tool measured: which one, what file, its own figures."""

from __future__ import annotations

from typing import Any

import msgspec

from loadgen.decoding import ready


class ToolFigure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One figure as the tool wrote it."""

    name: str
    """The tool's."""
    value: float
    unit: str = ""
    ours: str = ""
    """What it is called in `summary --json` (`ttft_from_sent_ms.p99`); empty: it has no counterpart."""
    how: str = ""
    """`same` definition (but for whose clock it is), `near`, or empty without a counterpart."""


class ImportedInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    tool: str
    file: str = ""
    version: str = ""
    label: str = ""
    replayable: bool = False
    """Its requests are here, with their times."""
    succeeded: int | None = None
    failed: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    notes: list[str] = []
    """What is to be known of how the tool counts, and of what was made of it."""
    figures: list[ToolFigure] = []


def imported_info(fields: dict[str, Any] | None) -> ImportedInfo | None:
    """None where ttftop measured it, or where the table is none of ours."""
    try:
        return msgspec.convert(fields, ready(ImportedInfo)) if fields else None
    except msgspec.ValidationError:
        return ImportedInfo(tool=str(fields.get("tool", "another tool"))[:40]) if fields else None

"""Where the limit lies by stored sessions, as text for 80 columns: the answer, then what it rests on."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from loadgen.errors import printable
from sessions.digits import digits
from tui.report.figures import aligned, number
from tui.report.limit import limit_text
from tui.report.slo import WORDS

if TYPE_CHECKING:
    from sessions.limit_of_stored.schema import StoredLimit

WIDTH = 80


def stored_limit_text(found: StoredLimit) -> str:
    """Ends with a line break."""
    targets = ", ".join(printable(target, 60) for target in found.targets)
    one = len(found.sessions) == 1
    which = "a stored session says" if one else f"{len(found.sessions)} stored sessions say"
    head = f"nothing was sent: what {which} of {targets}"
    parts = ["\n".join(textwrap.wrap(" ".join([*found.badges, head]), WIDTH)), limit_text(found.limit)]
    rows = [["rests on", "load", "from s", "to s", "", "its requests"]]
    for each in found.rests_on:
        said = "-" if each.verdict is None else WORDS[each.verdict]
        rows.append(
            [
                printable(each.session, 28),
                digits(each.load, 4),
                number(each.from_s, 1),
                number(each.to_s, 1),
                printable(each.window.replace("_", " ") or "changing", 14),
                said,
            ]
        )
    parts.append(aligned(rows))
    if found.notes:
        wrapped = (
            textwrap.wrap(printable(note, 300), WIDTH, initial_indent="  - ", subsequent_indent="    ")
            for note in found.notes
        )
        parts.append("\n".join(["to be known", *(line for lines in wrapped for line in lines)]))
    return "\n\n".join(parts) + "\n"

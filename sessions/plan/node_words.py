"""The words of `--nodes`: which machines put load on the server. Pure, and cheap to import."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from telemetry.source import TelemetryError
from telemetry.source_spec import Node, parse_node

ALLOWED = "allowed are ssh://[user@]host[:port] and local://[name]"
MOST_NODES = 256
_LOCAL = re.compile(r"local://([A-Za-z0-9_][A-Za-z0-9._-]{0,62})?/?")


class NodeWordError(Exception):
    """One line: what was got, what is allowed."""


class NodeWord(NamedTuple):
    name: str
    """Unique in a run, safe to print and in a file's name."""
    ssh: Node | None = None
    """None: this machine."""


def parse_nodes(words: Sequence[str]) -> list[NodeWord]:
    """Raises:
    NodeWordError: one is neither, or there are too many.
    """
    found: list[NodeWord] = []
    names: set[str] = set()
    if len(words) > MOST_NODES:
        raise NodeWordError(f"got {len(words)} nodes, need at most {MOST_NODES}")
    for word in words:
        if (local := _LOCAL.fullmatch(word)) is not None:
            node, stem = None, local[1] or "local"
        else:
            try:
                node = parse_node(word)
            except TelemetryError as error:
                raise NodeWordError(
                    str(error).partition(": ")[2].partition(";")[0] + f"; {ALLOWED}"
                ) from None
            stem = re.sub(r"[^A-Za-z0-9._-]", "-", node.host)
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.add(name)
        found.append(NodeWord(name, node))
    return found

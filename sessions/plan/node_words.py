"""The words of `--nodes`: which machines put load on the server. Pure, and cheap to import."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from loadgen.errors import printable
from telemetry.source import TelemetryError
from telemetry.source_spec import Node, parse_node

ALLOWED = "allowed are ssh://[user@]host[:port] and local://[name]"
MOST_NODES = 256
_STEM_CAP = 90
"""Of a name, so that with a number it is one that files are named after (`sessions.nodes.node_files`)."""
_LOCAL = re.compile(r"local://([A-Za-z0-9_][A-Za-z0-9._-]{0,62})?/?")


class NodeWordError(Exception):
    """One line: what was got, what is allowed."""


class NodeWord(NamedTuple):
    name: str
    """Unique in a run, safe to print and in a file's name."""
    ssh: Node | None = None
    """None: this machine."""


def ray_address(text: str) -> str:
    """`auto` or `IP:PORT`, the address of a Ray cluster's head.

    Raises:
        NodeWordError: it is neither.
    """
    if "://" in text:
        raise NodeWordError(
            f"{printable(text, 60)}: not by Ray Client; need ttftop on a node of the cluster (--ray auto), "
            "or this machine in it: ray start --address IP:6379 --num-cpus 0"
        )
    host, colon, port = text.rpartition(":")
    if text != "auto" and not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise NodeWordError(f"got {printable(text, 60)!r}, need auto or IP:PORT")
    return text


def check_nodes(words: Sequence[str], ray: str) -> None:
    """Raises:
    NodeWordError: `--nodes`, or `--ray`, cannot be; it names the option.
    """
    try:
        if ray:
            ray_address(ray)
            return
    except NodeWordError as error:
        raise NodeWordError(f"--ray: {error}") from None
    try:
        parse_nodes(words)
    except NodeWordError as error:
        raise NodeWordError(f"--nodes: {error}") from None


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
            stem = re.sub(r"[^A-Za-z0-9._-]", "-", node.host)[:_STEM_CAP]
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.add(name)
        found.append(NodeWord(name, node))
    return found

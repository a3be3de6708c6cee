"""The nodes that put the load on, as a session's manifest has them."""

from __future__ import annotations

from typing import Any

import msgspec

from loadgen.decoding import ready
from sessions.summary.schema import LoadNode


class _Kept(msgspec.Struct):
    name: str
    host: str = ""
    workers: list[int] = []
    clock_within_ns: int | None = None


_NODES_CAP = 1024


def load_nodes(client: dict[str, Any]) -> list[LoadNode]:
    """None where all load came from the machine of the session. `client`: the manifest's."""
    try:
        kept = msgspec.convert(client.get("nodes") or [], ready(list[_Kept]))
    except msgspec.ValidationError:  # not of ours
        return []
    return [
        LoadNode(
            node.name,
            node.host,
            len(node.workers),
            None if node.clock_within_ns is None else round(node.clock_within_ns / 1e6, 4),
        )
        for node in kept[:_NODES_CAP]
    ]

"""A file of this machine that workers on a node read, brought there in parts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO

from sessions.nodes.messages import Put
from sessions.nodes.node import Node

_PART_BYTES = 1 << 20


async def bring(node: Node, path: Path, name: str) -> str:
    """Its path there.

    Raises:
        NodeLost: the node is gone, or its disk refuses.
        OSError: the disk here refuses; it names the file.
    """
    with path.open("rb") as file:
        at = 0
        while (data := await asyncio.to_thread(_part, file)) or not at:
            await node.ask(Put(name, at, data))
            at += len(data)
            if not data:
                break
    return f"{node.hello.directory}/put/{name}"


def _part(file: BinaryIO) -> bytes:
    try:
        return file.read(_PART_BYTES)
    except OSError as error:  # Python names no file here
        raise OSError(error.errno, error.strerror, file.name) from None

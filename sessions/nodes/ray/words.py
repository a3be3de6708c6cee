"""What this side and the bridge (`sessions.nodes.ray.bridge`) say to each other: values, in frames."""

from __future__ import annotations

import msgspec

from loadgen.decoding import ready


class Open(msgspec.Struct, tag="open", frozen=True):
    """Join the cluster, and start an agent on its nodes. First, and once."""

    address: str
    """`auto`, or `IP:PORT` of the head."""
    nodes: list[str]
    """Host names, addresses or Ray's ids, as a person wrote them; empty: all that are alive."""


class FoundNode(msgspec.Struct, frozen=True):
    """A node on which an agent was started."""

    name: str
    """Its host name, made unique in the cluster, fit for a file's name."""
    ip: str
    node_id: str
    """Ray's, in hexadecimal."""
    head: bool
    cpus: float
    """What Ray may give away there: not the cores that it has."""
    gpus: float
    """The same of GPUs."""
    python: str
    ray: str
    ttftop: str


class Opened(msgspec.Struct, tag="opened", frozen=True):
    """In the order of the names that were asked for; else sorted by address."""

    nodes: list[FoundNode]


class Exchange(msgspec.Struct, tag="exchange", frozen=True):
    """A question for the agent on a node, as `sessions.nodes.messages` encodes it."""

    node: int
    payload: bytes
    timeout_s: float
    """Nobody waits for the answer any longer."""

    def __repr__(self) -> str:  # it may bear the API key
        return f"Exchange({self.node}, ***)"


class Exchanged(msgspec.Struct, tag="exchanged", frozen=True):
    payload: bytes


class Close(msgspec.Struct, tag="close", frozen=True):
    """End the agent on that node."""

    node: int


class Closed(msgspec.Struct, tag="closed", frozen=True):
    """It has ended, or cannot be reached."""


class Lost(msgspec.Struct, tag="lost", frozen=True):
    """That node, or its agent, is gone for good: one line."""

    message: str


class Refused(msgspec.Struct, tag="refused", frozen=True):
    """Nothing was opened: one line, with the next step."""

    message: str


ToBridge = Open | Exchange | Close
FromBridge = Opened | Exchanged | Closed | Lost | Refused

encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(ready(ToBridge)).decode
decode_answer = msgspec.msgpack.Decoder(ready(FromBridge)).decode

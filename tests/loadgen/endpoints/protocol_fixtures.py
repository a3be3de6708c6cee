"""Answers of other protocols than OpenAI's completions and chat, cut into events as the endpoint cuts them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from loadgen.endpoint_names import EndpointName
from loadgen.endpoints import ENDPOINTS
from loadgen.endpoints.sse import Event
from tests.loadgen.endpoints.test_events import said

FIXTURES = Path(__file__).parent / "fixtures" / "protocols"


def events(endpoint: str, name: str, piece_bytes: int = 1 << 20) -> list[Event]:
    """The events of a fixture that comes in pieces of so many bytes."""
    data = (FIXTURES / name).read_bytes()
    parser = ENDPOINTS[cast(EndpointName, endpoint)].parser()
    cut = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    return [event for piece in cut for event in parser.feed(piece)] + parser.close()


def readings(endpoint: str, name: str, piece_bytes: int = 1 << 20) -> list[str]:
    """What each event says, in the signs of `said`."""
    read = ENDPOINTS[cast(EndpointName, endpoint)].read
    return [said(read(event.data, event.name)) for event in events(endpoint, name, piece_bytes)]


def answer_of(endpoint: str, name: str) -> str:
    """All of its text."""
    text = ENDPOINTS[cast(EndpointName, endpoint)].text
    return "".join(text(event.data) for event in events(endpoint, name))

"""One row per kind of load: what it is told as, and the model that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadgen.arrivals.closed_loop import ClosedLoop
from loadgen.arrivals.conversation import ConversationLoop
from loadgen.arrivals.load import (
    Beginning,
    ClosedLoad,
    ConversationLoad,
    LoadModel,
    OpenLoad,
    TraceLoad,
)
from loadgen.arrivals.open_loop import OpenLoop
from loadgen.arrivals.trace import TraceReplay

LOAD_MODELS: dict[type, Callable[[Any, Beginning], LoadModel]] = {
    OpenLoad: OpenLoop,
    ClosedLoad: ClosedLoop,
    TraceLoad: TraceReplay,
    ConversationLoad: ConversationLoop,
}

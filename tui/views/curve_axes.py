"""What the curve can be drawn of: a figure over the load, or tokens per GPU over tokens per user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sessions.curve.point import Figure, Point
from sessions.curve.what_if import Held


class Axes(NamedTuple):
    title: str
    means: str
    y: Callable[[Point, Held | None], Figure]
    log: bool
    unit: str
    metric: str = ""
    """Of `sessions.plan.slo`, where a target of it is a line across."""


def _goodput(point: Point, held: Held | None) -> Figure:
    if held is not None:
        return Figure(held.goodput_rps)
    return Figure(point.done_rps if point.attained is None else point.goodput_rps)


AXES: Mapping[str, Axes] = {
    "ttft": Axes("TTFT p95", "ms, first token from due", lambda point, _: point.ttft_p95, True, "ms", "ttft"),
    "itl": Axes("ITL p95", "ms between tokens", lambda point, _: point.itl_p95, True, "ms", "itl"),
    "tps": Axes("TOKENS/S", "output tokens per second", lambda point, _: point.output_tps, False, ""),
    "goodput": Axes("GOODPUT req/s", "answers that hold the targets", _goodput, False, ""),
    "pareto": Axes(
        "TOK/S/GPU over TOK/S/USER",
        "output tok/s by GPUs, over 1 by mean ITL",
        lambda point, _: Figure(point.gpu_tps if point.gpus else point.output_tps.value),
        False,
        "",
    ),
}
"""In the order of the key that turns them."""


_OF_WHOLE_ANSWERS = {
    "ttft": AXES["ttft"]._replace(title="E2E p95", means="ms, whole answer from due", metric="e2e"),
    "tps": AXES["tps"]._replace(title="INPUT TOKENS/S", means="tokens of prompts per second"),
}
"""Where answers have no tokens (embeddings)."""


def axes_of(name: str, points: Sequence[Point]) -> Axes:
    """The axes of that name, called what they are of."""
    whole = bool(points) and all(point.only_input for point in points)
    return _OF_WHOLE_ANSWERS.get(name, AXES[name]) if whole else AXES[name]


def x_of(point: Point, axes: str) -> float | None:
    return point.user_tps if axes == "pareto" else point.stage.load

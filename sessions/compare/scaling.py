"""What more GPUs give: throughput per GPU against the smallest side, tensor against data parallelism, and the
Pareto front of tokens per second and GPU over tokens per second and user. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sessions.compare.blocks import Sums
from sessions.compare.match import Group, grouped
from sessions.compare.schema import LoadPoint, ScaledSide, Scaling, TpAgainstDp

if TYPE_CHECKING:
    from sessions.compare.compare import Recorded

FRONT = (
    "on the front is a side at a load that no other one beats: none has at least as many tokens/s/GPU and as "
    "many tokens/s/user, and more of one. tokens/s/GPU: output tokens as they came, over the time of the "
    "load, by GPUs; tokens/s/user: 1 / median TPOT"
)
EFFICIENCY = (
    "tokens/s/GPU at the load that made most, against that of the side with the fewest GPUs; a side whose "
    "highest load was its best may have more in it"
)
_PARALLEL = ("tp", "pp", "dp")
"""Tags whose product is how many GPUs serve."""


def scaling(sides: Sequence[Sequence[Recorded]], labels: Sequence[str]) -> Scaling | None:
    """Each of `sides` is a session, or repetitions of it; None where no side has tokens and known GPUs."""
    points, scaled, tags = [], [], []
    for side, label in zip(sides, labels, strict=True):
        gpus, source = _gpus(side)
        mine = [] if gpus is None else list(_points(side, label, gpus))
        if gpus is None or not mine:
            continue
        points += mine
        tags.append(_tags(side))
        best = max(mine, key=lambda point: point.output_tps)
        highest = max(mine, key=lambda point: point.value)
        scaled.append(
            ScaledSide(
                label=label,
                layout=" ".join(f"{name}={tags[-1][name]}" for name in _PARALLEL if name in tags[-1]),
                gpus=gpus,
                gpus_from=source,
                load=best.load,
                output_tps=best.output_tps,
                output_tps_per_gpu=best.output_tps_per_gpu,
                efficiency=None,
                highest_load_is_best=best is highest,
            )
        )
    if not scaled:
        return None
    smallest = min(scaled, key=lambda one: one.gpus)
    return Scaling(
        smallest=smallest.label,
        sides=[
            msgspec.structs.replace(one, efficiency=one.output_tps_per_gpu / smallest.output_tps_per_gpu)
            if one is smallest or one.gpus > smallest.gpus
            else one
            for one in scaled
        ],
        tp_against_dp=list(_tp_against_dp(scaled, tags, points)),
        points=_on_front(points),
        efficiency=EFFICIENCY,
        front=FRONT,
    )


def _gpus(side: Sequence[Recorded]) -> tuple[int | None, str]:
    """How many serve, and who says so; None where nobody does, or sessions of one side differ in it."""
    tags = _tags(side)
    if (gpus := _number(tags.get("gpus"))) is not None:
        return gpus, "tag gpus"
    parallel = {name: _number(tags[name]) for name in _PARALLEL if name in tags}
    known = [value for value in parallel.values() if value is not None]
    if known and len(known) == len(parallel):
        return int(np.prod(known)), "tags " + " x ".join(parallel)
    counted = {session.summary.energy.gpus for session in side}
    found = counted.pop() if len(counted) == 1 else 0
    return found or None, "GPUs that the load ran on"


def _tags(side: Sequence[Recorded]) -> dict[str, str]:
    """Those that all sessions of a side have alike; the first of a name holds."""
    each = []
    for session in side:
        mine: dict[str, str] = {}
        for name, _, value in (tag.partition("=") for tag in session.manifest.config.tags):
            mine.setdefault(name.lower(), value)
        each.append(mine)
    return {name: value for name, value in each[0].items() if all(mine.get(name) == value for mine in each)}


def _number(text: str | None) -> int | None:
    """A count of GPUs."""
    plain = text is not None and text.isascii() and text.isdigit() and len(text) <= 6
    return int(text) or None if plain and text is not None else None


def _points(side: Sequence[Recorded], label: str, gpus: int) -> Iterator[LoadPoint]:
    """One a load; means over repetitions. A load without tokens has none."""
    for group in grouped([session.stretches for session in side]):
        tokens = [_output_tps(each.rates) for each in group.stretches]
        known = [value for value in tokens if value is not None]
        if len(known) < len(tokens):
            continue
        output_tps = float(np.mean(known))
        tpot_ms = [float(np.median(v)) for each in group.stretches if len(v := each.latencies["tpot"].values)]
        yield LoadPoint(
            side=label,
            load=group.load.words,
            value=group.load.value,
            requests=sum(each.requests for each in group.stretches),
            failed=_failed(group),
            gpus=gpus,
            output_tps=output_tps,
            output_tps_per_gpu=output_tps / gpus,
            tps_per_user=1000 / float(np.mean(tpot_ms)) if tpot_ms else None,
            on_front=False,
        )


def _failed(group: Group) -> int:
    return sum(each.requests - each.succeeded for each in group.stretches)


def _output_tps(rates: Mapping[str, Sums]) -> float | None:
    if (tokens := rates.get("output_tps")) is None or not tokens.above.any():
        return None
    return float(tokens.above.sum() / tokens.below.sum())


def _on_front(points: Sequence[LoadPoint]) -> list[LoadPoint]:
    return [
        msgspec.structs.replace(
            one, on_front=one.tps_per_user is not None and not any(_beats(other, one) for other in points)
        )
        for one in points
    ]


def _beats(other: LoadPoint, one: LoadPoint) -> bool:
    if other.tps_per_user is None or one.tps_per_user is None:
        return False
    theirs = (other.output_tps_per_gpu, other.tps_per_user)
    ours = (one.output_tps_per_gpu, one.tps_per_user)
    return theirs[0] >= ours[0] and theirs[1] >= ours[1] and theirs != ours


def _tp_against_dp(
    scaled: Sequence[ScaledSide], tags: Sequence[Mapping[str, str]], points: Sequence[LoadPoint]
) -> Iterator[TpAgainstDp]:
    """Each side that is only tensor parallel with each of as many GPUs that is only data parallel."""
    of = [
        (one, {name: _number(mine.get(name)) or 1 for name in _PARALLEL})
        for one, mine in zip(scaled, tags, strict=True)
    ]
    for (tp, at), (dp, bt) in product(of, of):
        only = (at["tp"] > 1 == at["dp"] == at["pp"]) and (bt["dp"] > 1 == bt["tp"] == bt["pp"])
        if not only or tp.gpus != dp.gpus:
            continue
        mine, theirs = ({p.load: p for p in points if p.side == one.label} for one in (tp, dp))
        common = sorted((p.value, load) for load, p in mine.items() if load in theirs)
        users = [
            (load, a / b)
            for _, load in common
            if (a := mine[load].tps_per_user) is not None and (b := theirs[load].tps_per_user)
        ]
        yield TpAgainstDp(
            gpus=tp.gpus,
            tp=tp.label,
            dp=dp.label,
            output_tps_ratio=tp.output_tps / dp.output_tps,
            load=users[0][0] if users else None,
            tps_per_user_ratio=users[0][1] if users else None,
        )

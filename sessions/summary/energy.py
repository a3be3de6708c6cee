"""Joules of a span and what a token takes of them, for a summary and each of its stages."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.summary.arithmetic import per
from sessions.summary.telemetry_schema import EnergyUse
from sessions.timeline.energy import EnergyCurve, used


def energy_use(
    curves: Sequence[EnergyCurve], from_ns: float, to_ns: float, output_tokens: float
) -> EnergyUse:
    """What GPUs with these `curves` used over exactly `[from_ns, to_ns]`, in which `output_tokens` came."""
    seconds = (to_ns - from_ns) / 1e9
    energy = used(curves, from_ns, to_ns)
    joules = energy.whole(seconds)
    return EnergyUse(
        gpus=len(curves),
        joules=energy.joules,
        source=energy.source,
        gap_s=energy.gap_s,
        mean_w=per(joules, seconds),
        j_per_output_token=per(joules, output_tokens),
        output_tps_per_w=output_tokens / joules if joules and output_tokens > 0 else None,
    )

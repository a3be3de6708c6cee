"""What more GPUs give, as text for 80 columns: each side at its best, every load, the Pareto front."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loadgen.errors import printable
from tui.report.figures import NOT_MEASURED, aligned, number

if TYPE_CHECKING:
    from sessions.compare.schema import Scaling

WIDTH = 80
_LABEL = 22


def asks_for_it(scaling: Scaling | None, by_tag: bool) -> bool:
    """It is what was compared: sides made by a tag, of other numbers of GPUs, or laid out otherwise."""
    if scaling is None or len(scaling.sides) < 2:
        return False
    return by_tag or len({(side.gpus, side.layout) for side in scaling.sides}) > 1


def scaling_text(scaling: Scaling) -> str:
    """Ends with a line break."""
    parts = [_sides(scaling), *_layouts(scaling), _points(scaling)]
    return "\n\n".join(parts) + "\n"


def _sides(scaling: Scaling) -> str:
    rows = [["per GPU", "GPUs", "best at", "tok/s", "tok/s/GPU", "efficiency"]]
    starred = False
    for side in scaling.sides:
        at_the_end = side.highest_load_is_best and not side.load.startswith("whole")
        starred |= at_the_end
        efficiency = NOT_MEASURED if side.efficiency is None else f"{side.efficiency:.0%}"
        rows.append(
            [
                printable(side.label, _LABEL),
                str(side.gpus),
                side.load + ("*" if at_the_end else " "),
                number(side.output_tps, 0),
                number(side.output_tps_per_gpu, 1),
                efficiency,
            ]
        )
    sources = dict.fromkeys(printable(side.gpus_from, 40) for side in scaling.sides)
    said = f"efficiency: {scaling.efficiency}" + (" (*)" if starred else "")
    said += f". Against {printable(scaling.smallest, 60)}; GPUs by: {', '.join(sources)}"
    return "\n".join([aligned(rows), *textwrap.wrap(said, WIDTH)])


def _layouts(scaling: Scaling) -> Iterator[str]:
    for one in scaling.tp_against_dp:
        tp, dp = (printable(label, 40) for label in (one.tp, one.dp))
        said = f"TP against DP on {one.gpus} GPUs: {tp} makes {one.output_tps_ratio:.2f} times "
        said += f"the tokens/s of {dp} at the best load of each"
        if one.tps_per_user_ratio is not None:
            said += f", and {one.tps_per_user_ratio:.2f} times the tokens/s/user at {one.load}"
        yield "\n".join(textwrap.wrap(said, WIDTH, subsequent_indent="  "))


def _points(scaling: Scaling) -> str:
    rows = [["front", "side", "load", "tok/s/user", "tok/s/GPU", "failed"]]
    points = sorted(scaling.points, key=lambda point: -(point.tps_per_user or 0.0))
    for point in points:
        rows.append(
            [
                "*" if point.on_front else "",
                printable(point.side, _LABEL),
                point.load,
                number(point.tps_per_user, 1),
                number(point.output_tps_per_gpu, 1),
                f"{point.failed:,}" if point.failed else "",
            ]
        )
    head = "tokens/s/GPU over tokens/s/user, the Pareto front marked"
    return "\n".join([head, aligned(rows, left=3), *textwrap.wrap(scaling.front, WIDTH)])

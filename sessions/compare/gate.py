"""What a pipeline asks: is anything worse by so much?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sessions.compare.schema import ComparedFigure, Comparison, Versus
from sessions.compare.verdict import NOT_MEASURED


class Found(NamedTuple):
    """One sentence, and whether it is a failure."""

    text: str
    failed: bool


def found_worse(comparison: Comparison, limit: float) -> list[Found]:
    """Each figure that is worse, over all loads or at one, by `limit` or more (0.05 is 5 %).

    A side that is not valid passes nothing. What cannot be told is said and is no failure; so is what is
    worse by less.
    """
    found = []
    for versus in comparison.versus:
        found += [
            Found(f"{side.label} is not valid, so nothing is passed: {'; '.join(side.reasons)}", True)
            for side in (comparison.a, versus.b)
            if not side.valid
        ]
        for where, figure in _figures(versus):
            if figure.ratio is None or figure.word != "worse":
                continue
            by = abs(figure.ratio - 1)
            allowed = f"{'' if by >= limit else 'no failure: '}{limit * 100:g} % fails"
            text = f"{versus.b.label}{where}: {figure.label} is worse by {by * 100:.1f} % ({allowed})"
            found.append(Found(text, by >= limit))
        unknown = [
            figure.label
            for figure in versus.overall
            if figure.word == "cannot tell" and figure.because != NOT_MEASURED
        ]
        if unknown:
            found.append(Found(f"{versus.b.label}: cannot tell, no failure: {', '.join(unknown)}", False))
    return found


def _figures(versus: Versus) -> Iterator[tuple[str, ComparedFigure]]:
    for figure in versus.overall:
        yield "", figure
    for load in versus.loads if len(versus.loads) > 1 else ():
        for figure in load.figures:
            yield f" at {load.load}", figure

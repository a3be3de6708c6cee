"""A run's requests by their tags: what each kind of request of a mix came to."""

from __future__ import annotations

import numpy as np

from sessions.metrics import PER_REQUEST
from sessions.summary.arithmetic import total
from sessions.summary.exact_quantiles import exact_quantiles
from sessions.summary.schema import Tagged
from sessions.timeline.requests import NONE, RequestColumns, Requests


def by_tag(requests: RequestColumns, rows: Requests) -> list[Tagged]:
    """A row a tag, in the order of their names; none where no request has one."""
    places: dict[str, list[int]] = {}
    for place, tags in enumerate(requests.tags):
        for tag in tags:
            places.setdefault(tag, []).append(place)
    return [_of(tag, requests, rows[np.isin(rows["tags"], places[tag])]) for tag in sorted(places)]


def _of(tag: str, requests: RequestColumns, rows: Requests) -> Tagged:
    good = rows[rows["error"] == NONE]
    cut_off = int(requests.cut_off(rows).sum())
    figures = {name: exact_quantiles(of(good), 1e6) for name, of in PER_REQUEST.items()}
    return Tagged(
        tag=tag,
        requests=len(rows),
        succeeded=len(good),
        failed=len(rows) - len(good) - cut_off,
        cut_off=cut_off,
        input_tokens=total(good["input_tokens"]),
        cached_tokens=total(good["cached_tokens"]),
        output_tokens=total(good["output_tokens"]),
        ttft_from_due_ms=figures["ttft_from_due"],
        tpot_ms=figures["tpot"],
        e2e_ms=figures["e2e"],
    )

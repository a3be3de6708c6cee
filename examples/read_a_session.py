"""TTFT p95 of a session, from its request lines: python examples/read_a_session.py DIRECTORY"""

import sys
from pathlib import Path

import numpy as np

from sessions.metrics import ttft_from_due
from sessions.store.follow import SessionFollower
from sessions.timeline.requests import NONE
from sessions.timeline.timeline import Timeline

files, timeline = SessionFollower(Path(sys.argv[1]), requests=True), Timeline()
while (records := files.poll()) or files.behind:
    for record in records:
        timeline.apply(record)
requests = timeline.requests.rows
ttft_ms = ttft_from_due(requests[requests["error"] == NONE]) / 1e6
ttft_ms = ttft_ms[~np.isnan(ttft_ms)]
print(f"TTFT p95 {np.quantile(ttft_ms, 0.95):.2f} ms from due, over {len(ttft_ms)} requests that succeeded")

"""TTFT p95 of a session, from its request lines: python examples/read_a_session.py DIRECTORY"""

import sys
from pathlib import Path

import numpy as np

from loadgen.records import Request
from sessions.metrics import ttft_from_due
from sessions.store.follow import SessionFollower

files = SessionFollower(Path(sys.argv[1]), requests=True)
records = files.poll()
while files.behind:
    records += files.poll()
requests = [record for record in records if isinstance(record, Request) and record.error is None]
ttft_ms = [ns / 1e6 for request in requests if (ns := ttft_from_due(request)) is not None]
print(f"TTFT p95 {np.quantile(ttft_ms, 0.95):.2f} ms from due, over {len(ttft_ms)} requests that succeeded")

"""What is a stuck request: silence of each kind, and never an answer that is merely long."""

from __future__ import annotations

import pytest

from loadgen.records import Request
from loadgen.worker.deadlines import passed_deadline
from loadgen.worker_config import Deadlines

S = 1_000_000_000
USUAL = Deadlines()


def sent(**times_s: float) -> Request:
    """Sent at 1 s; `headers`, `first` and `last` token as told."""
    of = {"headers": "headers_ns", "first": "first_token_ns", "last": "last_token_ns"}
    times = {of[name]: int(at_s * S) for name, at_s in times_s.items()}
    return Request(index=0, worker=0, due_ns=S, sent_ns=S, **times)


CASES: list[tuple[Request, float, float, Deadlines, str | None]] = [
    (Request(index=0, worker=0, due_ns=S), 0, 9999, USUAL, None),
    (sent(), 0, 120, USUAL, None),
    (sent(), 0, 122, USUAL, "120 s; --timeout headers=TIME allows more"),
    (sent(headers=2), 0, 122, USUAL, "120 s; --timeout first-token=TIME allows more"),
    # comments before the first token are no token
    (sent(headers=2), 121, 122, USUAL, "120 s; --timeout first-token=TIME allows more"),
    # two tokens a second for hours
    (sent(headers=2, first=3, last=36_000), 0, 36_000.5, USUAL, None),
    (sent(headers=2, first=3, last=36_000), 0, 36_061, USUAL, "60 s; --timeout gap=TIME allows more"),
    (sent(headers=2, first=3, last=100), 600, 650, USUAL, None),
    (
        sent(headers=2, first=3, last=100),
        700,
        701,
        USUAL,
        "no token for 600 s, only comments: 10 times 60 s; --timeout gap=TIME allows more",
    ),
    (sent(headers=2, first=3, last=900), 0, 901, Deadlines(total_s=899), "899 s; --timeout total=TIME allows more"),
    (sent(headers=2, first=3, last=900), 0, 901, Deadlines(total_s=901), None),
]  # fmt: skip


@pytest.mark.parametrize(("record", "heard_s", "now_s", "deadlines", "want"), CASES)
def test_a_deadline_is_of_silence_and_says_its_length(
    record: Request, heard_s: float, now_s: float, deadlines: Deadlines, want: str | None
) -> None:
    passed = passed_deadline(record, int(heard_s * S), int(now_s * S), deadlines)
    if want is None:
        assert passed is None
        return
    option = want.partition("--timeout ")[2].partition("=")[0]
    assert passed == (option.replace("-", "_") + "_timeout", want)

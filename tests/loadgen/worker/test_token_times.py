"""Times that do not come in order: part of them were of the kernel, part of the read."""

from __future__ import annotations

import pytest

from loadgen.records import Request
from loadgen.worker.counters import Counters
from loadgen.worker.token_times import TokenTimes

US = 1_000


def times(sent_us: int = 100) -> tuple[Request, TokenTimes]:
    record = Request(index=0, worker=0, due_ns=90 * US, sent_ns=sent_us * US)
    return record, TokenTimes(record, Counters(), one_token_chunks=True)


@pytest.mark.parametrize("at_once", [True, False], ids=["add_separate", "add_coalesced"])
def test_a_token_never_comes_before_the_one_before_it(at_once: bool) -> None:
    record, tokens = times()
    tokens.add_coalesced(1_000 * US, 1, None, False)
    later = [3_000 * US, 2_500 * US, 2_900 * US, 4_000 * US]
    if at_once:
        tokens.add_separate(later, None)
    else:
        for t_ns in later:
            tokens.add_coalesced(t_ns, 1, None, False)
    assert record.gaps_us == [2_000, 0, 0, 1_000]
    assert record.last_token_ns == 4_000 * US


def test_a_token_before_all_others_of_its_batch_moves_nothing_back() -> None:
    record, tokens = times()
    tokens.add_coalesced(1_000 * US, 1, None, False)
    tokens.add_separate([900 * US, 950 * US], None)
    assert record.gaps_us == [0, 0]
    assert record.last_token_ns == 1_000 * US


def test_no_first_token_comes_before_its_request_was_sent() -> None:
    """Of a server on this machine it may: `sent` is read after the write, in which it has answered."""
    record, tokens = times(sent_us=100)
    tokens.add_coalesced(99 * US, 1, None, False)
    assert record.first_token_ns == record.sent_ns == 100 * US

"""The tokens of one request as they come: times into its record, gaps into the worker's counters."""

from __future__ import annotations

from itertools import accumulate
from operator import sub

from loadgen.records import Request
from loadgen.worker.counters import Counters


def flag(record: Request, name: str) -> None:
    """Notes an oddity that is no failure, once."""
    if name not in record.flags:
        record.flags.append(name)


class TokenTimes:
    """`counted` tokens so far; `done` once the stream has said that there are no more by `[DONE]`."""

    __slots__ = ("_counters", "_one_token_chunks", "_over", "_record", "counted", "done")

    def __init__(self, record: Request, counters: Counters, one_token_chunks: bool) -> None:
        """`one_token_chunks`: an event that does not say how many tokens it bears is taken to bear one."""
        self._record, self._counters, self._one_token_chunks = record, counters, one_token_chunks
        self.counted = 0
        self.done = False
        self._over = ""

    @property
    def under_way(self) -> bool:
        """The first has come, the last has not."""
        return self._record.last_token_ns is not None and not self._over

    def finish(self) -> None:
        """A finish reason has come: what a server sends behind it is no part of the answer, and flagged."""
        self._over = self._over or "token_after_finish"

    def end(self) -> None:
        """`[DONE]` has come."""
        self.done, self._over = True, "token_after_done"

    def add_coalesced(self, t_ns: int, chunks: int, tokens: int | None, reasoning: bool) -> int:
        """`chunks` token-bearing events of one read, `tokens` in each (None: unknown); returns `chunks`.

        More than one at once only where `tokens` is 1 or None.
        """
        record, counters = self._record, self._counters
        if self._over:
            flag(record, self._over)
            return 0
        count = 1 if tokens is None else tokens
        self.counted += count * chunks
        counters.chunks += chunks
        counters.output_tokens += count * chunks
        # A gap that lies before exactly one token, or is taken to, is an ITL as it stands.
        is_itl = self._one_token_chunks if tokens is None else tokens == 1
        last_ns = record.last_token_ns
        # Never back: a time of the kernel may follow one of a read, which is later.
        earliest_ns = last_ns or record.sent_ns or 0
        if t_ns < earliest_ns:
            t_ns = earliest_ns
        if last_ns is None:
            record.first_token_ns = t_ns
            if record.first_event_ns is None:
                record.first_event_ns = t_ns
            counters.ttft_from_due.add(t_ns - record.due_ns)
            counters.ttft_from_sent.add(t_ns - (record.sent_ns or record.due_ns))
        else:
            gap_ns = t_ns - last_ns
            # Between whole microseconds, so that the gaps of a stream add up to its times.
            record.gaps_us.append(t_ns // 1000 - last_ns // 1000)
            if is_itl:
                counters.gaps_ns.append(gap_ns)
            else:
                counters.chunk_gap.add(gap_ns)
                if tokens is not None:
                    # A chunk of none showed the rest of a token, say: still a wait for text.
                    counters.itl.add(gap_ns // max(count, 1), max(count, 1))
        if chunks > 1:
            record.gaps_us += [0] * (chunks - 1)
            if is_itl:
                counters.zero_gaps += chunks - 1
            else:
                counters.chunk_gap.add(0, chunks - 1)
        if not reasoning and record.first_answer_token_ns is None:
            record.first_answer_token_ns = t_ns
        if tokens is not None:
            record.chunk_tokens += [tokens] * chunks
        record.last_token_ns = t_ns
        record.chunks += chunks
        return chunks

    def add_separate(self, times_ns: list[int], tokens: int | None) -> None:
        """Events that came one by one after the first token, `tokens` in each: 1 or None, unknown."""
        record, counters, chunks = self._record, self._counters, len(times_ns)
        self.counted += chunks
        counters.chunks += chunks
        counters.output_tokens += chunks
        last_ns = record.last_token_ns or 0
        gaps_ns = list(map(sub, times_ns, [last_ns, *times_ns[:-1]]))
        if min(gaps_ns) < 0:
            times_ns = list(accumulate(times_ns, max, initial=last_ns))[1:]
            gaps_ns = list(map(sub, times_ns, [last_ns, *times_ns[:-1]]))
        if tokens == 1 or self._one_token_chunks:
            counters.gaps_ns += gaps_ns
        else:
            for gap_ns in gaps_ns:
                counters.chunk_gap.add(gap_ns)
        times_us = [t_ns // 1000 for t_ns in times_ns]
        record.gaps_us += map(sub, times_us, [last_ns // 1000, *times_us[:-1]])
        if record.first_answer_token_ns is None:
            record.first_answer_token_ns = times_ns[0]
        if tokens is not None:
            record.chunk_tokens += [1] * chunks
        record.last_token_ns = times_ns[-1]
        record.chunks += chunks

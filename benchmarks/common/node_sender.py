"""A node that only sends: what an agent and its workers say to the host, without any load behind it.

`python benchmarks/common/node_sender.py WORKERS RECORDS_PER_S`: answers `Read` as `sessions.nodes.agent`
does, at the same pace, from files that grow by themselves: a tick of 1 KB four times a second and so many
records of 505 B a second for each worker. Their bytes say nothing: the host hands them on unread.
"""

from __future__ import annotations

import os
import platform
import queue
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from loadgen.version import VERSION as TTFTOP_VERSION
from sessions.nodes.answers import Answers
from sessions.nodes.frames import Frames
from sessions.nodes.messages import (
    READ_MOST_BYTES,
    VERSION,
    ClockQuestion,
    Done,
    Hello,
    HelloAnswer,
    Read,
    ReadAnswer,
    decode_question,
)
from sessions.store.journal import request_file, worker_file

TICKS_PER_S, TICK_BYTES, RECORD_BYTES = 4, 1000, 505
GATHER_S = 0.25


def grown(workers: int, records_per_s: float, for_s: float) -> dict[str, int]:
    """Bytes of each file after so long."""
    sizes = {}
    for number in range(workers):
        sizes[worker_file(number)] = int(for_s * TICKS_PER_S) * TICK_BYTES
        sizes[request_file(number)] = int(for_s * records_per_s) * RECORD_BYTES
    return sizes


def answer(question: Read, sizes: dict[str, int]) -> ReadAnswer:
    chunks, room, behind = [], READ_MOST_BYTES, 0
    for name, size in sizes.items():
        at = question.have.get(name, 0)
        if size > at:
            part = min(size - at, room)
            if part:
                chunks.append((name, at, bytes(part)))
            room -= part
            behind += size - at - part
    return ReadAnswer(chunks, [], {}, behind == 0, behind)


def main() -> None:
    workers, records_per_s = int(sys.argv[1]), float(sys.argv[2])
    begin_s, answers = time.monotonic(), Answers(os.dup(1))
    reads: queue.SimpleQueue[tuple[int, Read]] = queue.SimpleQueue()

    def read_all() -> None:
        while True:
            number, question = reads.get()
            time.sleep(GATHER_S)
            sizes = grown(workers, records_per_s, time.monotonic() - begin_s)
            answers.give(number, answer(question, sizes))

    threading.Thread(target=read_all, daemon=True).start()
    answers.greet()
    frames = Frames()
    while data := os.read(0, 1 << 16):
        for number, payload in frames.feed(data):
            question = decode_question(payload)
            if isinstance(question, ClockQuestion):
                answers.give_time(number)
            elif isinstance(question, Read):
                reads.put((number, question))
            elif isinstance(question, Hello):
                answers.give(
                    number,
                    HelloAnswer(
                        VERSION, TTFTOP_VERSION, platform.python_version(), "sender", os.getpid(), 1, ""
                    ),
                )
            else:
                answers.give(number, Done())


if __name__ == "__main__":
    main()

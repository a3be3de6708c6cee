"""How the screen bears a slow line, without one."""

from __future__ import annotations

import itertools
import os
import pty
import threading

from textual.drivers._writer_thread import WriterThread

from tui.screens.terminal import BYTES_PER_S, HangUpWatch, Meter, Pace, hung_up, queued_writes


def test_a_clogged_line_slows_the_screen_and_a_free_one_quickens_it_after_a_while():
    pace = Pace()
    for now_s, hz in ((0.0, 5.0), (0.1, 2.0), (0.2, 1.0), (0.3, 1.0)):
        pace, due = pace.stepped(now_s, queued=9)
        assert not due
        assert pace.hz == hz
    pace, _ = pace.stepped(5.0, queued=0)
    assert pace.hz == 1.0
    pace, _ = pace.stepped(5.4, queued=0)
    assert pace.hz == 2.0


def test_at_one_hertz_nine_of_ten_ticks_draw_nothing():
    pace = Pace(index=3, clear_since_s=1e9)
    drawn = 0
    for tick in range(100):
        pace, due = pace.stepped(tick / 10, queued=0)
        drawn += due
    assert drawn == 10


def test_frames_that_would_be_too_many_bytes_are_left_out():
    pace, sent, drawn = Pace(), 0, []
    for tick in range(300):
        pace, due = pace.stepped(tick / 10, queued=0, sent_bytes=sent)
        if due:
            sent += 20_000
            drawn.append(tick / 10)
    # 30 s of frames of 20 kB, which at 10 Hz were 200 kB/s: a second's worth ahead, and one frame over.
    assert sent <= 31 * BYTES_PER_S + 20_000
    assert sent >= 29 * BYTES_PER_S
    assert max(b - a for a, b in itertools.pairwise(drawn)) < 0.75, "spread out, not in bursts"


def test_small_frames_are_all_drawn():
    pace, sent = Pace(), 0
    for tick in range(100):
        pace, due = pace.stepped(tick / 10, queued=0, sent_bytes=sent)
        assert due
        sent += 6_000


def test_what_a_driver_writes_is_counted_in_bytes():
    written = []

    class Driver:
        def write(self, data: str) -> None:
            written.append(data)

    driver, meter = Driver(), Meter()
    meter.watch(driver)
    driver.write("ab")
    driver.write("█")
    assert (written, meter.sent_bytes) == (["ab", "█"], 5)
    meter.watch(object())


def test_textual_still_queues_its_writes_where_they_are_counted():
    # Private to Textual: without it the screen would freeze on a stalled terminal instead of leaving frames out.
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with os.fdopen(write_fd, "w") as file:
        thread = WriterThread(file)
        thread.write("x")

        class Driver:
            _writer_thread = thread

        assert queued_writes(Driver()) == 1
    assert queued_writes(object()) == 0


def test_a_terminal_is_seen_to_be_gone():
    master, slave = pty.openpty()
    assert not hung_up(slave)
    os.close(master)
    assert hung_up(slave)
    gone = threading.Event()
    watch = HangUpWatch(gone.set, slave, poll_s=0.01)
    watch.start()
    assert gone.wait(10)
    watch.stop()
    os.close(slave)

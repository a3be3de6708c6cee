"""Messages over a stream: whole whatever the stream was cut into, and told from what is none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.nodes.frames import GREETING, MOST_BYTES, MOST_NOISE_BYTES, FrameError, Frames, framed

_FRAMES = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=40)), max_size=6)
_NOISE = st.binary(max_size=30).filter(lambda noise: GREETING not in noise)


@given(frames=_FRAMES, noise=_NOISE, size=st.integers(1, 17))
def test_frames_come_out_whole_however_the_stream_is_cut_and_whatever_a_login_printed(
    frames: list[tuple[int, bytes]], noise: bytes, size: int
) -> None:
    stream = noise + GREETING + b"".join(framed(number, payload) for number, payload in frames)
    reader = Frames(expect_greeting=True)
    got = [one for at in range(0, len(stream), size) for one in reader.feed(stream[at : at + size])]
    assert got == frames


def test_a_frame_is_length_number_and_payload_in_network_order() -> None:
    assert framed(7, b"abc") == struct.pack("!LL", 3, 7) + b"abc"


def test_a_payload_longer_than_any_of_ours_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(FrameError, match=str(MOST_BYTES + 1)):
        Frames().feed(struct.pack(">II", MOST_BYTES + 1, 0))


def test_a_stream_that_never_greets_is_given_up() -> None:
    reader = Frames(expect_greeting=True)
    reader.feed(b"x" * MOST_NOISE_BYTES)
    with pytest.raises(FrameError, match="no greeting of an agent"):
        reader.feed(b"y")

"""Why the time to first token rose, against a server whose every request is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sessions.frame.build import build
from sessions.frame.first_token import FirstToken, first_token
from sessions.timeline.requests import RequestColumns
from tests.sessions.frame.first_tokens import (
    AT_FIRST,
    E2E,
    SGLANG,
    TGI,
    TTFT,
    VLLM,
    S,
    growing,
    its_own,
    ours,
)
from tests.sessions.timeline.folding import folded


def why(*records: Any, at_ns: int = 60 * S, slots: int = 60, window_ns: int = 60 * S) -> FirstToken:
    timeline = folded(*records)
    frame = build(
        timeline, None, at_ns=at_ns, window_ns=window_ns, slots=slots, live=False, killed=False, start_ns=0
    )
    found = first_token(timeline, frame, lambda: timeline.requests)
    assert found is not None
    return found


def layers(found: FirstToken) -> dict[str, np.ndarray]:
    return {layer.name: layer.values for layer in found.layers}


def test_what_is_left_is_network_and_client_also_while_the_queue_grows():
    """vLLM tells of a queue when the request has ended, 3 s after its first token: held against first tokens
    of the same second, 150 ms of queue would be told as network."""
    asked = growing()
    found = why(*ours(asked), *its_own(asked, VLLM))
    assert found.of_ended
    said = layers(found)
    assert list(said) == ["prefill", "queue", "rest of the server", "network and client", "send lag"]
    late = slice(30, 60)
    np.testing.assert_allclose(said["prefill"][late], 100.0, rtol=1e-6)
    np.testing.assert_allclose(said["send lag"][late], 10.0, rtol=1e-6)
    # Means of sketches are within 1 % of a TTFT of up to 2 s; what the two have together is exact.
    both = said["network and client"] + said["rest of the server"]
    np.testing.assert_allclose(both[late], 20.0, atol=0.01)
    np.testing.assert_allclose(said["network and client"][late], 15.0, atol=6.0)
    assert np.nanmax(said["queue"]) > 1500


def test_each_column_is_a_mean_of_the_requests_that_ended_in_the_last_5_s():
    asked = growing()
    found = why(*ours(asked), *its_own(asked, VLLM))
    for column in (20, 40, 59):
        to_ns = (column + 1) * S  # a reading of the server is there, one 5 s before as well
        ended = [one for one in asked if to_ns - 5 * S < one.end_ns <= to_ns]
        assert len(ended) > 20
        assert found.total.values[column] == pytest.approx(np.mean([one.ttft for one in ended]))
        assert layers(found)["queue"][column] == pytest.approx(np.mean([one.queue for one in ended]))
    assert found.total.now_ms == pytest.approx(found.total.values[59])
    assert found.total.first_ms == pytest.approx(130.0)


def test_what_the_server_does_before_it_queues_is_no_network():
    asked = [replace(one, front=60.0) for one in growing()]
    said = layers(why(*ours(asked), *its_own(asked, VLLM)))
    np.testing.assert_allclose(said["rest of the server"][30:60], 60.0, atol=8.0)
    np.testing.assert_allclose(said["network and client"][30:60], 15.0, atol=8.0)


def test_the_layers_add_up_to_our_own_time():
    asked = growing()
    found = why(*ours(asked), *its_own(asked, VLLM))
    total = np.sum([layer.values for layer in found.layers], axis=0)
    known = np.isfinite(total)
    assert known.sum() > 50
    np.testing.assert_allclose(total[known], found.total.values[known], atol=0.01)


def test_a_server_that_tells_its_queue_when_it_begins_is_held_against_first_tokens():
    asked = growing()
    found = why(*ours(asked), *its_own(asked, SGLANG))
    assert not found.of_ended
    said = layers(found)
    assert list(said) == ["prefill, rest of the server", "queue", "network and client", "send lag"]
    assert "no prefill times" in found.untold
    # Its queue is that of requests that were begun up to a prefill later: one of a hundred, 5 ms longer.
    np.testing.assert_allclose(said["prefill, rest of the server"][35:], 105.0, atol=6.0)
    np.testing.assert_allclose(said["network and client"][35:], 15.0, atol=8.0)
    both = said["prefill, rest of the server"][59] + said["queue"][59]
    assert both == pytest.approx(np.mean([TTFT(one) for one in asked if 55 * S < one.first_ns <= 60 * S]))


def test_without_prefill_and_ttft_what_is_left_has_both_names():
    asked = growing()
    found = why(*ours(asked), *its_own(asked, TGI))
    assert found.of_ended
    said = layers(found)
    assert list(said) == ["prefill, network and client", "queue", "send lag"]
    np.testing.assert_allclose(said["prefill, network and client"][30:], 120.0, atol=0.01)


def test_a_server_without_queue_times_shows_its_own_ttft_beside_ours():
    asked = growing()
    found = why(*ours(asked), *its_own(asked, {"ttft": (AT_FIRST, TTFT), "e2e": (AT_FIRST, E2E)}))
    said = layers(found)
    assert list(said) == ["server", "network and client", "send lag"]
    assert "neither queue nor prefill" in found.untold
    np.testing.assert_allclose(said["server"][10:20], 105.0, rtol=1e-6)


def test_without_any_word_of_the_server_ours_is_all_there_is_and_no_request_is_read():
    asked = growing(20.0)
    timeline = folded(*ours(asked, 20.0))
    frame = build(timeline, None, at_ns=20 * S, window_ns=20 * S, slots=20, live=False, killed=False)

    def unwanted() -> RequestColumns:
        raise AssertionError("requests were read")

    found = first_token(timeline, frame, unwanted)
    assert found is not None
    assert list(layers(found)) == ["server, network and client", "send lag"]
    assert found.total.now_ms == pytest.approx(130.0, rel=0.01)


def test_before_any_first_token_there_is_nothing():
    timeline = folded(*ours([], 5.0), *its_own([], VLLM, 5.0))
    frame = build(timeline, None, at_ns=5 * S, window_ns=5 * S, slots=5, live=False, killed=False)
    assert first_token(timeline, frame, lambda: timeline.requests) is None


def test_it_says_what_was_recorded_by_then_whatever_came_later():
    asked = growing()
    at_ns = 37 * S
    whole = why(*ours(asked), *its_own(asked, VLLM), at_ns=at_ns)
    early = [
        r
        for r in (*ours(asked), *its_own(asked, VLLM))
        if getattr(r, "end_ns", getattr(r, "t_ns", 0)) <= at_ns
    ]
    upto = why(*early, at_ns=at_ns)
    for one, other in zip((whole.total, *whole.layers), (upto.total, *upto.layers), strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    assert np.isnan(whole.total.values[37:]).all()


def test_a_server_that_starts_anew_leaves_a_gap_and_no_figure_below_nought():
    asked = growing()
    records = [s for s in its_own(asked, VLLM) if s.t_ns <= 40 * S]
    records += [s for s in its_own(asked, VLLM, since_s=40.0) if s.t_ns > 40 * S]
    found = why(*ours(asked), *records)
    queue = layers(found)["queue"]
    assert np.isnan(queue[41:44]).all()
    assert np.isfinite(queue[50:]).all()
    assert all((layer.values[np.isfinite(layer.values)] >= 0).all() for layer in found.layers)


def test_a_server_that_others_use_too_is_told():
    asked = growing()
    alone, shared = (why(*ours(asked), *its_own(asked, VLLM, times=times)) for times in (1, 2))
    assert (alone.others, shared.others) == (False, True)


def test_requests_that_are_still_being_read_are_counted():
    asked = growing()
    records = [r for r in ours(asked) if getattr(r, "due_ns", 0) < 31 * S]
    found = why(*records, *its_own(asked, VLLM))
    ended = sum(one.end_ns <= 60 * S for one in asked)
    read = sum(one.due_ns < 31 * S for one in asked)
    assert found.read_share == pytest.approx(read / ended)
    assert not found.others


def test_a_long_window_has_means_of_whole_columns():
    asked = growing()
    found = why(*ours(asked), *its_own(asked, VLLM), slots=6)
    ended = [one.ttft for one in asked if 50 * S < one.end_ns <= 60 * S]
    assert found.total.values[5] == pytest.approx(np.mean(ended))
    assert found.first_ns == 10 * S

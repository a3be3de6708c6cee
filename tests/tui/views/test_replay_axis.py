"""A replay has one time axis: in every chart of every view, with what is still to come dimmed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.sessions.frame.first_tokens import VLLM, growing, its_own, ours
from tests.tui.recorded import Recorded, gpu_records
from tests.tui.views.test_server import gauged
from tui.controls.playhead import Playhead
from tui.controls.screen_state import ScreenState
from tui.draw.rows import Row
from tui.plots.bars import spark, squeezed
from tui.plots.scale import PERCENT
from tui.views.picture import Picture
from tui.views.views import VIEWS

S = 1_000_000_000
SIZES = [(80, 24), (120, 40), (200, 60)]
LATER = {"later", "later50", "later95"}


@pytest.fixture(scope="module")
def source() -> Recorded:
    asked = growing()
    return Recorded([*ours(asked), *gauged(list(its_own(asked, VLLM))), *gpu_records(2, 60)])


def rows_at(source: Recorded, at_ns: int, size: tuple[int, int], view: str) -> list[Row]:
    playhead = Playhead(at_ns=at_ns, following=False)
    state = ScreenState(playhead=playhead, replay=True, window_s=None, view=view)
    return Picture(source).rows(state, *size, VIEWS.get(view))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["overview", "latency", "server", "gpus"])
def test_in_the_midst_what_is_to_come_is_dimmed_and_at_the_end_nothing_is(source, view, size) -> None:
    def later(at_ns: int) -> int:
        rows = rows_at(source, at_ns, size, view)
        return sum(len(text.strip()) for row in rows for text, role in row if role in LATER)

    assert later(15 * S) > later(30 * S) > later(50 * S) > 0
    assert later(source.last_ns) == 0


@pytest.mark.parametrize("size", SIZES)
def test_the_charts_of_server_and_gpus_go_on_as_those_of_latencies_do(source, size) -> None:
    rows = rows_at(source, 30 * S, size, "overview")
    for name in ("KV", "GPU0", "GPU1", "REQ/S"):
        named = [y for y, row in enumerate(rows) if any(text.strip(" ●").startswith(name) for text, _ in row)]
        charts = [row for y in named if y > 3 for row in rows[y : y + 7]]
        assert any(role in LATER for row in charts for _, role in row), name


@pytest.mark.parametrize("size", SIZES)
def test_from_the_first_instant_to_the_last_nothing_moves(source, size) -> None:
    def places(at_ns: int) -> dict[str, int]:
        rows = ["".join(text for text, _ in row) for row in rows_at(source, at_ns, size, "overview")]
        names = ("TTFT ms", "ITL ms", "REQ/S", "TOKENS/S", "IN FLIGHT", "GPU0", "KV")
        return {name: next((y for y, row in enumerate(rows[3:]) if name in row), -1) for name in names}

    last = places(source.last_ns)
    assert min(last.values()) >= 0
    for at_ns in (source.first_ns, source.first_ns + S // 2, 10 * S):
        assert places(at_ns) == last


def test_a_narrow_chart_shows_the_means_of_as_many_columns_as_a_cell_holds() -> None:
    draw = np.random.default_rng(5)
    for slots, cells in ((66, 37), (66, 7), (120, 60), (40, 40), (10, 25)):
        values = draw.uniform(0, 100, slots)
        values[draw.uniform(size=slots) < 0.3] = np.nan
        found = squeezed(values, cells)
        assert len(found) == cells
        if cells > slots:
            expected = [values[cell * slots // cells] for cell in range(cells)]
        else:
            begins = [cell * slots // cells for cell in range(cells)] + [slots]
            owner = [values[a:b] for a, b in pairwise(begins)]
            expected = [np.nanmean(own) if np.isfinite(own).any() else np.nan for own in owner]
        np.testing.assert_allclose(found, expected)


def test_the_cell_that_holds_the_playhead_is_not_dimmed_and_the_next_one_is() -> None:
    grid = spark(np.full(66, 50.0), PERCENT, (11, 1), "gpu_fill", 31)
    roles = [grid.names[i] for i in grid.roles[0]]
    assert roles == ["gpu_fill"] * 6 + ["later"] * 5

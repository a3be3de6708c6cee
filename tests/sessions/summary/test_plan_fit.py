"""Lines through stages' figures, against numbers made by hand."""

from __future__ import annotations

import pytest

from sessions.summary.plan_fit import fit


def test_a_line_is_found_as_it_was_made() -> None:
    x = [256.0, 512.0, 1024.0, 4096.0]
    made = fit("y", "x", x, [0.2 * value + 18 for value in x])
    assert made is not None
    assert made.coefficients == pytest.approx([18, 0.2])
    assert (made.r2, made.points) == (pytest.approx(1.0), 4)


def test_a_parabola_is_fitted_where_a_line_explains_too_little() -> None:
    x = [-2.0, -1.0, 0.0, 1.0, 2.0]
    made = fit("y", "x", x, [3 * value**2 + 1 for value in x])
    assert made is not None
    assert made.coefficients == pytest.approx([1, 0, 3], abs=1e-9)


def test_fewer_than_three_points_or_one_x_are_no_line() -> None:
    assert fit("y", "x", [1.0, 2.0], [1.0, 2.0]) is None
    assert fit("y", "x", [2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) is None

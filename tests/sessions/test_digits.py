"""Numbers in sentences, as a person writes them."""

from __future__ import annotations

import random
import re

import pytest

from sessions.digits import digits
from sessions.plan.target_figure import figure_words


@pytest.mark.parametrize(
    ("value", "most", "said"),
    [
        (1873.4, 3, "1,873"),
        (71_253.0, 4, "71,253"),
        (9_848.2, 4, "9,848"),
        (0.00001234, 3, "0.0000123"),
        (0.0420, 2, "0.042"),
        (182.4, 4, "182.4"),
        (12.0, 4, "12"),
        (-34.7, 3, "-34.7"),
        (1e-30, 3, "0"),
        (0.0, 3, "0"),
        (16_384.0, 4, "16,384"),
        (99.99, 3, "100"),
    ],
)
def test_a_number_has_its_digits_and_no_exponent(value: float, most: int, said: str) -> None:
    assert digits(value, most) == said


def test_where_python_needs_no_exponent_it_writes_the_same_number() -> None:
    made = random.Random(5)
    for _ in range(2000):
        value, most = 10 ** made.uniform(-4, 4) * made.choice((1, -1)), made.randint(1, 6)
        if "e" in (pythons := f"{value:.{most}g}"):
            assert re.fullmatch(r"-?[\d,]+(\.\d+)?", digits(value, most))
        else:
            assert float(digits(value, most).replace(",", "")) == float(pythons)


@pytest.mark.parametrize(
    ("target", "figure", "said"),
    [
        ("ttft.p95<500ms", 3870.6, "3,871 ms"),
        ("ttft.p95<500ms", 71_253.0, "71.25 s"),
        ("itl.p99 < 50ms", 0.42, "0.42 ms"),
        ("errors<1%", 0.0, "0 %"),
        ("attainment>99%", 0.3762, "37.62 %"),
        ("output_tps>2500", 2600.0, "2,600/s"),
        ("joules_per_output_token<2", 1.003, "1.003 J"),
        ("no target", 12_345.6, "12,346"),
    ],
)
def test_what_a_target_came_to_has_its_unit(target: str, figure: float, said: str) -> None:
    assert figure_words(target, figure) == said

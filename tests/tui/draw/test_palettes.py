"""Palettes: each has every role, what must be told apart can be, also by who sees no red or green.

The oracles are published: Machado, Oliveira and Fernandes (2009) for how colours look to the colour-blind, CIE 1976
for how far two colours are apart, WCAG 2.1 for how well text can be read.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from rich.color_triplet import ColorTriplet

from tui.draw.palettes import contrast, is_light, luminance, resolved
from tui.draw.theme import COLOURS, ROLES, Theme
from tui.draw.theme_names import THEMES

PALETTES = [name for name in THEMES if name != "auto"]
STATES, QUANTILES = ("ok", "warn", "bad"), ("p50", "p95", "p99")
SEEN_BY = {
    "everybody": np.eye(3),
    # Machado et al. 2009, severity 1.0, on linear RGB.
    "deuteranopes": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopes": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
APART = 20.0
"""CIE 1976; 2.3 is what can be told apart at all side by side."""


def lab(rgb: ColorTriplet, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour of sRGB as it is seen."""
    value = np.array(rgb) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(seen @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / np.array([0.95047, 1.0, 1.08883]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def colour(theme: Theme, role: str) -> ColorTriplet:
    found = theme.styles()[role].color
    assert found is not None
    return found.get_truecolor()


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("colours", COLOURS)
def test_every_palette_has_every_role(palette, colours):
    assert set(Theme(colours=colours, palette=palette).styles()) == set(ROLES)


def near(palette: str, roles: tuple[str, ...], eyes: str) -> dict[tuple[str, str], int]:
    """Pairs that are too near each other, and how near."""
    theme, seen = Theme(palette=palette), SEEN_BY[eyes]
    seen_as = {role: lab(colour(theme, role), seen) for role in roles}
    apart = {
        (one, other): round(float(np.linalg.norm(seen_as[one] - seen_as[other])))
        for one, other in combinations(roles, 2)
    }
    return {pair: distance for pair, distance in apart.items() if distance < APART}


@pytest.mark.parametrize("palette", ["dark", "light", "safe", "safe-light"])
@pytest.mark.parametrize("roles", [STATES, QUANTILES, ("over50", "over95")])
def test_states_and_percentiles_are_told_apart(palette, roles):
    assert near(palette, roles, "everybody") == {}


@pytest.mark.parametrize("palette", ["safe", "safe-light"])
@pytest.mark.parametrize("eyes", SEEN_BY)
@pytest.mark.parametrize("roles", [STATES, QUANTILES])
def test_the_safe_palettes_are_told_apart_by_all_eyes(palette, eyes, roles):
    assert near(palette, roles, eyes) == {}


@pytest.mark.parametrize(
    ("palette", "background"),
    [("dark", 0), ("safe", 0), ("light", 255), ("safe-light", 255)],
)
def test_what_must_be_read_can_be_on_its_background(palette, background):
    theme = Theme(palette=palette)
    behind = ColorTriplet(background, background, background)
    found = {role: round(contrast(colour(theme, role), behind), 1) for role in (*STATES, *QUANTILES)}
    assert {role: ratio for role, ratio in found.items() if ratio < 4.0} == {}


@pytest.mark.parametrize(("one", "other", "ratio"), [(255, 0, 21.0), (119, 255, 4.48), (0, 0, 1.0)])
def test_contrast_is_that_of_wcag(one, other, ratio):
    """#777 on white is the known near miss of 4.5."""
    assert contrast(ColorTriplet(one, one, one), ColorTriplet(other, other, other)) == pytest.approx(
        ratio, abs=0.01
    )


def test_luminance_of_the_primaries_is_that_of_srgb():
    found = [luminance(ColorTriplet(*rgb)) for rgb in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    assert found == pytest.approx([0.2126, 0.7152, 0.0722])


def test_the_dark_palette_is_what_the_table_of_roles_says():
    assert str(Theme().styles()["p95"]) == "color(179)"


def test_the_terminals_own_colours_are_sixteen_at_most():
    numbers = [style.color.number for style in Theme(palette="terminal").styles().values() if style.color]
    assert all(number is not None and number < 16 for number in numbers)


@pytest.mark.parametrize(
    ("said", "light"),
    [
        ("15;0", False),
        ("0;15", True),
        ("0;default;15", True),
        ("15;8", False),
        ("0;7", True),
        ("", False),
        ("x", False),
    ],
)
def test_a_light_terminal_is_one_that_says_so(said, light):
    assert is_light({"COLORFGBG": said}) is light
    assert resolved("auto", {"COLORFGBG": said}) == ("light" if light else "dark")
    assert resolved("safe", {"COLORFGBG": said}) == "safe"


@pytest.mark.parametrize("palette", THEMES[1:])
def test_where_two_areas_meet_each_has_the_colour_that_it_has_beside_it(palette):
    styles = Theme(palette=palette).styles()
    meeting = [role for role in styles if "/" in role]
    assert meeting
    for role in meeting:
        front, behind = role.split("/")
        assert styles[role].color == styles[front].color
        assert palette == "terminal" or styles[role].bgcolor == styles[behind].color

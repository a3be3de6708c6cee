"""Palettes: how the roles of `tui.draw.theme` look on terminals of 256 colours or more. Pure.

A palette is a table of the roles that it draws in its own way; all others are made of the role's own colour:
a role that is added needs no row here. Colour says nothing that words, glyphs and places do not say.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping

from rich.color import Color, ColorSystem
from rich.color_triplet import ColorTriplet
from rich.style import Style

# Source: Okabe and Ito, "Color Universal Design", 2008.
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"


def _safe_table(good: str, middling: str, bad: str) -> Mapping[str, str]:
    return {
        "ok": f"bold {good}",
        "warn": f"bold {middling}",
        "bad": f"bold {bad}",
        "p50": f"bold {good}",
        "p95": middling,
        "p99": bad,
        "badge_live": f"bold reverse {good}",
        "limit_room": f"bold reverse {good}",
        "limit_server": f"bold reverse {bad}",
        "banner": f"bold reverse {bad}",
    }


TABLES: Mapping[str, Mapping[str, str]] = {
    # An area, not a text: as dark as text it could not be told from the one up to p50.
    "light": {"over95": "color(215)"},
    "safe": _safe_table(SKY, YELLOW, VERMILLION),
    # Yellow and orange cannot be read on white, and darker ones are vermillion's neighbours: purple.
    "safe-light": _safe_table(BLUE, "#A8487F", "#BE4F00"),
}
_BY_HUE = (
    *((20, VERMILLION), (65, ORANGE), (165, GREEN), (200, SKY)),
    *((255, BLUE), (345, PURPLE), (361, VERMILLION)),
)
"""Hues of a circle of 360 up to each, and what stands for them."""
WHITE = ColorTriplet(255, 255, 255)
LEAST_CONTRAST = 4.5
"""Of text on its background. Source: WCAG 2.1, 1.4.3."""


def resolved(asked: str, environment: Mapping[str, str]) -> str:
    """The palette for a theme of `tui.draw.theme_names`, by what the terminal says of its background."""
    return ("light" if is_light(environment) else "dark") if asked == "auto" else asked


def is_light(environment: Mapping[str, str]) -> bool:
    """`COLORFGBG` is `foreground;background` (rxvt, Konsole, iTerm2): numbers of the sixteen colours."""
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return background in ("7", "9", "10", "11", "12", "13", "14", "15")


def styled(roles: Mapping[str, str], palette: str) -> dict[str, Style]:
    """Each role's style: `roles` are as the palette `dark` has them, in 256 colours."""
    table = TABLES.get(palette, {})
    made = {role: Style.parse(table.get(role, text)) for role, text in roles.items()}
    for role, style in made.items():
        if role not in table:
            if palette.startswith("safe"):
                style = _recoloured(style, _safe)
            if palette.endswith("light") and style.bgcolor is None:
                style = _recoloured(style, on_white)
        made[role] = _recoloured(style, _same)
    for role in made:  # an area on another one: each in the colour that it has beside it
        front, slash, behind = role.partition("/")
        if slash:
            made[role] = made[front] + Style(bgcolor=made[behind].color)
    return made


def _same(rgb: ColorTriplet) -> ColorTriplet:
    return rgb


def _recoloured(style: Style, change: Callable[[ColorTriplet], ColorTriplet]) -> Style:
    """In 256 colours: they take fewer bytes than the exact ones."""

    def changed(color: Color | None) -> Color | None:
        if color is None or color.is_default:
            return color
        before = color.get_truecolor()
        after = change(before)
        if after == before and color.number is not None:
            return color
        return Color.from_triplet(after).downgrade(ColorSystem.EIGHT_BIT)

    return style + Style(color=changed(style.color), bgcolor=changed(style.bgcolor))


def _safe(rgb: ColorTriplet) -> ColorTriplet:
    """The colour of Okabe and Ito that stands for a hue, as dark as it was; greys stay."""
    hue, _, saturation = colorsys.rgb_to_hls(*rgb.normalized)
    if saturation < 0.15:
        return rgb
    name = next(name for upto, name in _BY_HUE if hue * 360 < upto)
    if name == BLUE and luminance(rgb) > luminance(Color.parse(BLUE).get_truecolor()):
        name = SKY
    wanted = Color.parse(name).get_truecolor()
    share = min((luminance(rgb) / luminance(wanted)) ** (1 / 2.2), 1.0)
    return ColorTriplet(*(round(part * share) for part in wanted))


def on_white(rgb: ColorTriplet) -> ColorTriplet:
    """As it reads on white: greys turned round, what is too bright made darker."""
    hue, light, saturation = colorsys.rgb_to_hls(*rgb.normalized)
    if saturation < 0.15:
        grey = round((1 - light) * 255)
        return ColorTriplet(grey, grey, grey)
    while contrast(rgb, WHITE) < LEAST_CONTRAST:
        light *= 0.95
        rgb = ColorTriplet(*(round(part * 255) for part in colorsys.hls_to_rgb(hue, light, saturation)))
    return rgb


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    """1 to 21. Source: WCAG 2.1, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(rgb: ColorTriplet) -> float:
    """0 to 1. Source: WCAG 2.1, relative luminance."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

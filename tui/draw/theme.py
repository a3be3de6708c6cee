"""How roles look: three palettes, two sets of glyphs. What varies with the terminal is a value passed in.

Roles carry no meaning by colour alone: the words, glyphs and places say the same without any.
The colours are mid-toned, so that they read on a dark and on a light terminal, whose own background stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from rich.style import Style

from tui.draw.palettes import styled

# role: (256 colours, 16 colours, none)
ROLES: Mapping[str, tuple[str, str, str]] = {
    "": ("", "", ""),
    "strong": ("bold", "bold", "bold"),
    "dim": ("color(245)", "bright_black", "dim"),
    "name": ("bold color(39)", "bold bright_blue", "bold"),
    "title": ("bold color(110)", "bold cyan", "bold"),
    "label": ("color(245)", "bright_black", ""),
    "grid": ("color(239)", "bright_black", "dim"),
    "axis": ("color(242)", "bright_black", "dim"),
    "p50": ("bold color(39)", "bold bright_blue", "bold"),
    "p95": ("color(179)", "yellow", "dim"),
    "p99": ("color(203)", "red", ""),
    "band": ("color(237)", "bright_black", "dim"),
    "offered": ("bold color(252)", "bold white", "bold"),
    "achieved": ("color(37)", "cyan", ""),
    "tokens": ("color(37)", "cyan", ""),
    "tokens_fill": ("color(66)", "cyan", ""),
    "in_flight": ("color(74)", "bright_blue", ""),
    "in_flight_fill": ("color(60)", "blue", ""),
    "server": ("color(139)", "bright_magenta", ""),
    "server_fill": ("color(96)", "magenta", ""),
    "gpu": ("color(108)", "bright_green", ""),
    "gpu_fill": ("color(65)", "green", ""),
    "reserved": ("color(243)", "bright_black", "dim"),
    "bar_rest": ("color(239)", "bright_black", "dim"),
    "line_load": ("color(242)", "white", "dim"),
    "line_mark": ("color(133)", "magenta", ""),
    "line_state": ("color(238)", "bright_black", "dim"),
    "line_note": ("color(238)", "bright_black", "dim"),
    "line_warning": ("color(136)", "yellow", ""),
    "line_limit": ("color(96)", "magenta", "dim"),
    "line_error": ("color(167)", "red", ""),
    "line_end": ("color(245)", "white", ""),
    "mark_load": ("color(245)", "white", ""),
    "mark_mark": ("color(170)", "bright_magenta", "bold"),
    "mark_state": ("color(243)", "bright_black", "dim"),
    "mark_note": ("color(243)", "bright_black", "dim"),
    "mark_warning": ("color(214)", "bright_yellow", "bold"),
    "mark_limit": ("color(139)", "bright_magenta", "bold"),
    "mark_error": ("bold color(203)", "bright_red", "bold"),
    "mark_end": ("bold", "bold", "bold"),
    "ok": ("bold color(71)", "bold green", "bold"),
    "warn": ("bold color(214)", "bold yellow", "bold"),
    "bad": ("bold color(203)", "bold red", "bold"),
    "badge": ("bold reverse color(214)", "bold reverse yellow", "bold reverse"),
    "badge_live": ("bold reverse color(71)", "bold reverse green", "bold reverse"),
    "badge_replay": ("bold reverse color(39)", "bold reverse blue", "bold reverse"),
    "badge_ended": ("bold reverse color(245)", "bold reverse", "bold reverse"),
    "banner": ("bold reverse color(203)", "bold reverse red", "bold reverse"),
    "limit_room": ("bold reverse color(71)", "bold reverse green", "bold"),
    "limit_memory": ("bold reverse color(139)", "bold reverse magenta", "bold reverse"),
    "limit_chip": ("bold reverse color(215)", "bold reverse yellow", "bold reverse"),
    "limit_server": ("bold reverse color(203)", "bold reverse red", "bold reverse"),
    "key": ("bold", "bold", "bold"),
    "prompt": ("bold color(39)", "bold bright_blue", "bold"),
    "cursor": ("reverse", "reverse", "reverse"),
    "thin": ("color(243)", "bright_black", "dim"),
    # Filled charts: how bad a latency is. The nearer to p50, the stronger; warm above the target.
    "fan50_0": ("color(24)", "blue", ""),
    "fan50_1": ("color(24)", "blue", ""),
    "fan50_2": ("color(24)", "blue", ""),
    "fan50_3": ("color(31)", "blue", ""),
    "fan95": ("color(67)", "cyan", "dim"),
    "fan99": ("bold color(153)", "bold bright_cyan", "bold"),
    "over50": ("color(208)", "red", ""),
    "over95": ("color(130)", "yellow", "dim"),
    "over99": ("color(203)", "bright_red", "bold"),
    "target_line": ("bold", "bold", "bold"),
    "later50": ("color(240)", "bright_black", "dim"),
    "later95": ("color(238)", "bright_black", "dim"),
    "later": ("color(240)", "bright_black", "dim"),
    "faint": ("color(240)", "bright_black", "dim"),
    "frame": ("color(240)", "bright_black", "dim"),
    "quiet": ("color(66)", "cyan", ""),
    "util0": ("color(231) on color(239)", "reverse bright_black", ""),
    "util1": ("color(231) on color(23)", "reverse blue", ""),
    "util2": ("color(231) on color(30)", "reverse cyan", ""),
    "util3": ("color(16) on color(72)", "reverse green", ""),
    "util4": ("color(16) on color(114)", "reverse bright_green", ""),
    "alarm": ("bold color(231) on color(160)", "bold reverse red", "bold reverse"),
    "alert": ("bold color(16) on color(214)", "bold reverse yellow", "bold reverse"),
    "tag": ("bold color(133)", "bold magenta", "bold"),
    "heat_1": ("color(24)", "blue", "dim"),
    "heat_2": ("color(31)", "blue", ""),
    "heat_3": ("color(38)", "cyan", ""),
    "heat_4": ("color(44)", "bright_cyan", "bold"),
    "late_1": ("color(94)", "red", "dim"),
    "late_2": ("color(130)", "red", ""),
    "late_3": ("color(167)", "bright_red", ""),
    "late_4": ("color(203)", "bright_red", "bold"),
    "target": ("color(250)", "white", ""),
    "stage_now": ("color(38)", "cyan", ""),
    "stage_before": ("color(243)", "bright_black", "dim"),
    "point": ("bold color(38)", "bold bright_cyan", "bold"),
    "point_thin": ("color(245)", "bright_black", "dim"),
    "point_late": ("bold color(203)", "bold bright_red", "bold"),
    "point_growing": ("bold color(252)", "bold white", "bold"),
    "curve": ("color(31)", "cyan", "dim"),
    "ghost": ("color(139)", "magenta", "dim"),
    "bracket": ("color(71)", "green", ""),
    "gpu_limit": ("color(173)", "red", "dim"),
    "ttft_prefill": ("color(67)", "blue", ""),
    "ttft_queue": ("color(173)", "yellow", ""),
    "ttft_server": ("color(139)", "magenta", ""),
    "ttft_network": ("color(71)", "green", ""),
    "ttft_lag": ("color(203)", "red", ""),
    "phase_wait": ("color(245)", "white", "dim"),
    "phase_first": ("color(110)", "bright_blue", ""),
    "phase_tokens": ("color(37)", "cyan", "bold"),
    "region": ("bold color(170)", "bold bright_magenta", "bold"),
    "meter_warm": ("color(178)", "yellow", ""),
    "meter_hot": ("bold color(203)", "bold red", "bold"),
}
COLOURS = ("256", "16", "none")


class Styles(dict[str, Style]):
    """By role. `fan50_0/fan95` is the first on the colour of the second, for cells that two areas share."""

    def __missing__(self, role: str) -> Style:
        front, slash, behind = role.partition("/")
        if not slash:
            raise KeyError(role)
        style = self[front] + Style(bgcolor=self[behind].color)
        self[role] = style
        return style


def _on(lower: tuple[str, str, str], upper: tuple[str, str, str]) -> tuple[str, str, str]:
    """A role drawn on another one as its background."""
    return f"{lower[0]} on {upper[0]}", f"{lower[1]} on {upper[1]}", ""


_STACKS = (
    ("ttft_prefill", "ttft_queue", "ttft_server", "ttft_network", "ttft_lag"),
    ("in_flight_fill", "ttft_queue"),
    ("gpu_fill", "reserved"),
    ("thin", "reserved"),
    ("server", "gpu_fill"),
    ("server", "thin"),
    ("gpu_fill", "server_fill"),
    ("thin", "server_fill"),
)
"""Areas that stand on one another, from the bottom: where two meet in a cell, one is drawn on the other."""
ROLES = {
    **ROLES,
    **{
        f"{lower}/{upper}": _on(ROLES[lower], ROLES[upper])
        for stack in _STACKS
        for lower, upper in combinations(stack, 2)
    },
}


@dataclass(frozen=True)
class Theme:
    """`charset` is `braille` or `ascii`, `colours` one of `COLOURS`: what the terminal can show."""

    charset: str = "braille"
    colours: str = "256"
    palette: str = "dark"
    """One of `tui.draw.theme_names.THEMES` but `auto`; without 256 colours all are as `terminal`."""

    @property
    def ascii_only(self) -> bool:
        return self.charset == "ascii"

    @property
    def fill(self) -> str:
        """What tells the parts of a filled chart apart: `ascii` letters, `shades`, or `tones` of colour."""
        return "ascii" if self.ascii_only else "shades" if self.colours == "none" else "tones"

    def styles(self) -> Styles:
        own = self.palette == "terminal" and self.colours == "256"
        column = COLOURS.index("16" if own else self.colours)
        texts = {role: columns[column] for role, columns in ROLES.items()}
        if column:
            return Styles({role: Style.parse(text) for role, text in texts.items()})
        return Styles(styled(texts, self.palette))

    def glyph(self, name: str) -> str:
        return GLYPHS[name][1 if self.ascii_only else 0]


GLYPHS: Mapping[str, tuple[str, str]] = {
    "to": ("→", ">"),
    "dot": ("●", "*"),
    "play": ("▶", ">"),
    "pause": ("‖", "="),
    "mark": ("▲", "^"),
    "wall": ("│", "|"),
    "tick": ("┤", "+"),
    "corner": ("└", "`"),
    "floor": ("─", "-"),
    "measured": ("━", "="),
    "axis_tick": ("┴", "+"),
    "degree": ("°C", "C"),
    "head": ("●", "O"),
    "done": ("━", "="),
    "rest": ("─", "-"),
    "cursor": ("▏", "_"),
    "met": ("✓", "ok"),
    "missed": ("✗", "MISSED"),
    "up": ("↗", "->"),
    "down": ("↘", "->"),
    "stopped": ("■", "#"),
    "top_left": ("╭", "+"),
    "top_right": ("╮", "+"),
    "bottom_left": ("╰", "+"),
    "bottom_right": ("╯", "+"),
    "left": ("├", "+"),
    "right": ("┤", "+"),
    "p50": ("▇", "*"),
    "p95": ("▇", "+"),
    "p99": ("⠒", "^"),
    "within": ("═", "~"),
    "phase_wait": ("·", "."),
    "phase_first": ("─", "-"),
    "phase_tokens": ("━", "="),
    "failed": ("✗", "x"),
    "goes_on": ("…", ">"),
    "ghost": ("□", "%"),
}


_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
_PLAIN_TERMINALS = ("linux", "dumb", "vt100", "vt220")


def charset_for(encoding: str, environment: Mapping[str, str]) -> str:
    """`braille` where the terminal can be expected to show it: UTF-8, and not the bare kernel console."""
    locale = next((text for name in ("LC_ALL", "LC_CTYPE", "LANG") if (text := environment.get(name))), "C")
    # Where the locale is C, Python takes UTF-8 all the same and writes so into LC_CTYPE (PEP 538, 540): a C
    # that a person has set tells of the terminal, none at all does not.
    if locale in _COERCED and not environment.get("LC_ALL") and environment.get("LANG") in ("C", "POSIX"):
        locale = "C"
    wide = all("utf8" in text.lower().replace("-", "").replace("_", "") for text in (encoding, locale))
    return "braille" if wide and environment.get("TERM") not in _PLAIN_TERMINALS else "ascii"


def colours_for(color_system: str | None, no_color: bool) -> str:
    """From what the terminal was found to show (Rich's name for it)."""
    if no_color or color_system is None:
        return "none"
    return "16" if color_system in ("standard", "windows") else "256"


def in_ascii(text: str) -> str:
    """For the ASCII charset: what a server wrote in other letters becomes `?`, our ellipsis a dot."""
    return text.replace("…", ".").encode("ascii", "replace").decode("ascii")

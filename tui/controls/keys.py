"""Every key, once: what it does, what the help says of it, and whether the bottom row shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """`keys` are the names Textual gives them, or the character itself."""

    keys: tuple[str, ...]
    action: str
    help: str
    """Empty where the row before it speaks for both."""
    shown: str
    """As people write it, of both where one row speaks for two."""
    where: str = "both"
    """`live`, `replay` or `both`."""
    footer: str = ""
    """The word in the bottom row; empty: not there."""
    views: tuple[str, ...] = ()
    """The views that alone have it; none: all."""
    footer_in: tuple[str, ...] = ()
    """Those of them whose bottom row has room for the word; none: all."""


VIEWS = ("overview", "latency", "curve", "gpus", "server", "requests", "events")
"""By the digits that open them."""
_LISTS = ("curve", "gpus", "requests", "events")
_WHAT_IF = ("latency", "curve")
_BESIDE = ("overview", "latency")

KEYS: tuple[Key, ...] = (
    *(
        Key(
            (str(digit),),
            f"view_{name}",
            "" if digit > 1 else f"views: {', '.join(VIEWS)}",
            f"1-{len(VIEWS)}",
            footer="" if digit > 1 else "views",
        )
        for digit, name in enumerate(VIEWS, start=1)
    ),
    Key(
        ("tab",),
        "row_next",
        "a row down, a row up (replay: also the arrows)",
        "tab shift+tab",
        "both",
        "row",
        _LISTS,
    ),
    Key(("shift+tab",), "row_previous", "", "", "both", "", _LISTS),
    Key(("down", "j"), "row_next", "", "", "replay", "", _LISTS),
    Key(("up", "k"), "row_previous", "", "", "replay", "", _LISTS),
    Key(("pagedown",), "page_next", "a page down, a page up", "pgdn pgup", "both", "", _LISTS),
    Key(("pageup",), "page_previous", "", "", "both", "", _LISTS),
    Key(("pagedown",), "page_next", "", "", "both"),  # the help scrolls over every view
    Key(("pageup",), "page_previous", "", "", "both"),
    Key(
        ("enter",),
        "open",
        "go to the instant of the row (a GPU, a request: all of it)",
        "enter",
        "both",
        "go",
        _LISTS,
    ),
    Key(("s",), "sort", "the next order of the rows", "s", "both", "sort", ("gpus", "requests")),
    Key(("f",), "filter", "the next choice of what is listed", "f", "both", "filter", ("requests", "events")),
    Key(
        ("v",),
        "turn",
        "the next chart of this view",
        "v",
        "both",
        "chart",
        (*_WHAT_IF, "gpus"),
    ),
    Key(
        ("[",),
        "target_down",
        "what if the target were lower, higher: over what is stored; esc: as it was",
        "[ ]",
        "both",
        "target",
        _WHAT_IF,
    ),
    Key(("]",), "target_up", "", "", "both", "", _WHAT_IF),
    Key(
        ("b",),
        "baseline",
        "another session behind this one: away by b, last of all by esc",
        "b",
        "both",
        "base",
        (*_BESIDE, "curve"),
        footer_in=("curve",),
    ),
    Key(("B",), "align", "the baseline by load, or by time since load began", "B", "both", "", _BESIDE),
    Key(("up", "k"), "load_up", "one step more load, one step less", "↑ ↓ k j", "live", "rate"),
    Key(("down", "j"), "load_down", "", "", "live"),
    Key(("K",), "load_up_ten", "ten steps more, ten less", "K J", "live", "±10"),
    Key(("J",), "load_down_ten", "", "", "live"),
    Key(("=",), "load_exact", "type an exact rate (or concurrency); W: other requests", "= W", "live", "set"),
    Key(("W",), "workload", "", "", "live"),
    Key(("R",), "ramp", "a ramp from here: 32 in 60s, or 4..32/60s", "R", "live"),
    Key(
        ("space",),
        "hold",
        "hold, resume",
        "space",
        "live",
        "hold",
    ),
    Key(("space",), "play", "play, pause", "space", "replay", "play"),
    Key(("p",), "go_on", "the plan goes on, also out of a pause of its own", "p", "live"),
    Key(("x",), "stop", "stop, drop the backlog; space resumes", "x", "live", "stop"),
    Key(("m",), "mark", "set a mark, in a few words (replay: beside the session)", "m", "both", "mark"),
    Key(("left",), "back", "5 s back, 5 s forward", "← →", "both", "5s"),
    Key(("right",), "forward", "", "", "both"),
    Key(("shift+left", "H"), "back_far", "60 s back, 60 s forward", "shift+← → H L", "both"),
    Key(("shift+right", "L"), "forward_far", "", "", "both"),
    Key((",",), "tick_back", "one tick (250 ms) back, forward", ", .", "both"),
    Key((".",), "tick_forward", "", "", "both"),
    Key(
        ("home", "g"), "to_start", "to the beginning, to the end (live: back to now)", "home end g G", "both"
    ),
    Key(("end", "G"), "to_end", "", "", "both", "now"),
    Key(("<",), "slower", "play slower, faster: 0.25x to 64x (live: plays the past)", "< >", "both"),
    Key((">",), "faster", "", "", "both", "speed"),
    Key(
        ("n",),
        "next_mark",
        "to the next mark or change (load, what binds), and back",
        "n N",
        "both",
        "mark",
    ),
    Key(("N",), "previous_mark", "", "", "both"),
    Key(
        ("a",), "region", "A-B: from here, to here, with its own figures; once more: none", "a", "both", "A-B"
    ),
    Key(("w",), "window", "time the charts span: 30 s, 1 min, 5 min, all", "w", "both", "span"),
    Key(("l",), "log", "latency scale: logarithmic or linear", "l", "both", "log"),
    Key(
        ("i",),
        "details",
        "GPUs, server and hosts in words; back: i, esc",
        "i",
        "both",
        "info",
    ),
    Key(("t",), "theme", "the next theme: colours of the terminal, dark, light, safe", "t", "both"),
    Key(("e",), "export", "save what is shown as a picture (.svg) and as text", "e", "both"),
    Key((":", "ctrl+p"), "palette", "the command palette: every action by its name", ": ctrl+p", "both"),
    Key(("?",), "help", "this help", "?", "both", "help"),
    Key(
        ("q", "ctrl+c", "ctrl+q"),
        "quit",
        "leave; who started the run is asked how (ctrl+z suspends)",
        "q",
        "both",
        "quit",
    ),
    Key(("Q",), "end_run", "end the run, also one started elsewhere: finish, abort", "Q", "live"),
)

HELP_ROWS = tuple(row for row in KEYS if row.help)

LIVE_FOOTER = (
    "load_up",
    "load_up_ten",
    "load_exact",
    "hold",
    "stop",
    "mark",
    "view_overview",
    "window",
    "log",
    "details",
    "help",
    "quit",
)
PAST_FOOTER = ("to_end", "back", "faster", *LIVE_FOOTER)
"""While the past of a live run is looked at: first of all the way back to now."""
REPLAY_FOOTER = (
    *("play", "back", "next_mark", "faster", "view_overview", "window", "log", "details", "help", "quit"),
)
SHORT = {
    "load_up": "↑↓",
    "load_up_ten": "KJ",
    "load_exact": "=",
    "hold": "spc",
    "play": "spc",
    "back": "←→",
    "faster": "<>",
    "to_end": "end",
    "next_mark": "nN",
    "row_next": "tab",
    "target_down": "[]",
}
"""How the bottom row writes keys that come in pairs."""


def action_for(
    key: str, character: str | None, live: bool, view: str = "overview", keymap: tuple[Key, ...] = KEYS
) -> str | None:
    """The action of a pressed key, a view's own before those of all.

    Load keys have theirs in a replay too, so that they can be answered.
    """
    # Textual names "=" "equals_sign": the character is the stable name of a printable key, except the blank.
    name = character if character is not None and character.isprintable() and character != " " else key
    found = [row for row in keymap if name in row.keys or key in row.keys]
    here = "live" if live else "replay"
    found = [row for row in found if view in row.views] + [row for row in found if not row.views]
    for row in found:
        if row.where in ("both", here):
            return row.action
    return found[0].action if found else None


def is_of_view(action: str) -> bool:
    """It is for the view that is shown."""
    return any(row.views for row in KEYS if row.action == action)


def own_of(view: str) -> tuple[str, ...]:
    """Actions that a view alone has, and that the bottom row shows."""
    rows = (row for row in KEYS if view in row.views and row.footer)
    return tuple(row.action for row in rows if view in (row.footer_in or row.views))


def action_row(action: str, keymap: tuple[Key, ...] = KEYS) -> Key:
    return next(row for row in keymap if row.action == action)


def short_name(action: str, keymap: tuple[Key, ...] = KEYS) -> str:
    """How the bottom row writes the keys of an action, and of the one that goes with it."""
    row = action_row(action, keymap)
    return SHORT.get(action, row.shown) if row == action_row(action) else row.shown


def as_markdown() -> str:
    """The table of `docs/guide/keys.md`."""
    lines = ["| key | does | where |", "| --- | --- | --- |"]
    for row in HELP_ROWS:
        shown = " ".join(f"`{part}`" for part in row.shown.split())
        where = "live and replay" if row.where == "both" else row.where
        where += "".join(f", {name}" for name in row.views)
        lines.append(f"| {shown} | {row.help} | {where} |")
    return "\n".join(lines) + "\n"

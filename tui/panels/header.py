"""The top rows: how it stands, what the load came to, and what binds."""

from __future__ import annotations

from rich.cells import cell_len

from sessions.bottleneck.rules import MEANS_OF
from sessions.frame.schema import Frame
from sessions.steady.verdict import DRIFTING, Window
from tui.controls import keys
from tui.controls.screen_state import ScreenState
from tui.draw import numbers, words
from tui.draw.failures import failures
from tui.draw.rows import Field, Row, Span, chosen, spread, width_of
from tui.draw.text import fit, fit_parts, safe
from tui.draw.words import limit_name
from tui.panels.held_targets import latencies, missed
from tui.panels.outcome import attained, span_of, validity, verdict_of_run
from tui.panels.plan_progress import plan_progress
from tui.panels.throughput import window

_STATE_ROLES = {"running": "ok", "holding": "warn", "stopped": "warn", "draining": "warn", "killed": "bad"}


def header(frame: Frame, screen_state: ScreenState, width: int) -> Row:
    """The one loud row: the rate and where it goes, whether targets are held, what binds, and when."""
    right = _where_we_are(frame, screen_state, narrow=width < 100)
    theme = screen_state.theme
    gap = 3 if width >= 100 else 2
    room = max(width - width_of(right) - 2, 0)

    def fields(short: bool) -> list[Field]:
        return [
            Field(6, ("ttftop", "name")) if width >= 100 else Field(9),
            Field(0, *_rate(frame, screen_state)),
            *latencies(frame, theme, short=short),
            Field(5, (span_of(frame), "dim")) if width >= 100 else Field(9),
            *([_binds(frame)] if width >= 100 or not verdict_of_run(frame) else []),
        ]

    left = chosen(fields(False), room, gap=gap)
    asked = [field.runs[0] for field in latencies(frame, theme, short=False)[:2] if field.runs]
    if not all(run in left for run in asked):
        left = chosen(fields(True), room, gap=gap)
    return spread(left, right, width)


def _rate(frame: Frame, screen_state: ScreenState) -> Row:
    theme = screen_state.theme
    state = (
        "stopped"
        if frame.state in ("stopped", "ended", "killed")
        else "pause"
        if frame.state == "holding"
        else "play"
    )
    shown: Row = [(theme.glyph(state) + " ", "strong")]
    if not frame.rate_rps and frame.last_rate_rps is not None:  # the figures beside it came of that
        return [*shown, ("was ", "label"), (numbers.rate(frame.last_rate_rps), "offered"), (" rps", "strong")]
    if not frame.concurrency and frame.last_concurrency is not None:
        last = numbers.whole(frame.last_concurrency)
        return [*shown, ("was ", "label"), (last, "offered"), (" concurrent", "strong")]
    if frame.closed_loop:
        shown += [(numbers.whole(frame.concurrency), "offered"), (" concurrent", "strong")]
    else:
        shown += [(numbers.rate(frame.rate_rps), "offered"), (" rps", "strong")]
    now = float(frame.concurrency or 0) if frame.closed_loop else frame.rate_rps or 0.0
    if screen_state.asked:
        shown.append((f" ({screen_state.asked} asked)", "warn"))
    elif frame.heading is not None and abs(frame.heading - now) > 0.02 * max(now, 1.0):
        way = theme.glyph("up" if frame.heading > now else "down")
        shown.append(
            (
                f" {way} {numbers.count(frame.heading) if frame.heading >= 100 else f'{frame.heading:g}'}",
                "strong",
            )
        )
    return shown


def _binds(frame: Frame) -> Field:
    """What limits a run, or whether one that is over held its targets."""
    if said := verdict_of_run(frame):
        return Field(0, *said)
    name = frame.limit.name
    if frame.failing or frame.client_saturated or frame.state in ("ended", "killed", "probing"):
        return Field(9)
    if name not in _LIMIT_ROLES:
        return Field(9)
    if name == "room":
        return Field(4, ("nothing full", "warn") if missed(frame) else ("headroom", "ok"))
    return Field(3, (f" {limit_name(safe(name, 24)).upper()} ", "alert"))


def _where_we_are(frame: Frame, screen_state: ScreenState, *, narrow: bool) -> list[Span]:
    said = _placed(frame, screen_state, narrow=narrow)
    if screen_state.reading is None:
        return said
    return [(f"reading {100 * screen_state.reading:.0f} %  ", "warn"), *said]


def _placed(frame: Frame, screen_state: ScreenState, *, narrow: bool) -> list[Span]:
    head, theme = screen_state.playhead, screen_state.theme
    clock = numbers.clock(max(frame.at_ns - frame.first_ns, 0), hours=False)
    state = safe(frame.state, 12)
    if frame.live and head.following:
        shown: list[Span] = [(f"{theme.glyph('dot')} LIVE", "ok")]
        if frame.unreachable_since_ns is not None:
            lost_s = max(frame.at_ns - frame.unreachable_since_ns, 0) // 1_000_000_000
            shown.append((f" server unreachable {lost_s} s", "bad"))
        elif frame.lost_targets:
            more = len(frame.lost_targets) - 1
            name = safe(frame.lost_targets[0], 24)
            shown.append((f" {name} {f'and {more} more ' if more else ''}unreachable", "bad"))
        elif state != "running":
            shown.append((f" {state}", _STATE_ROLES.get(state, "")))
        if screen_state.silent_s >= 3 and frame.state != "probing":
            shown.append((f" no data for {screen_state.silent_s:.0f} s", "bad"))
        return [*shown, (f"  {clock}", "strong")]
    whole = numbers.clock(max(frame.last_ns - frame.first_ns, 0), hours=False)
    playing = theme.glyph("play" if head.playing else "pause")
    speed = f" {playing} {head.speed:g}x  " if head.playing or not narrow else f" {playing} "
    if frame.live:
        behind_ns = screen_state.end_ns(frame.last_ns) - frame.at_ns
        behind = f"-{behind_ns / 1e9:.2f}s" if behind_ns < 1e9 else numbers.clock(-behind_ns, hours=False)
        behind += "" if screen_state.settled_ns is None else "+"
        return [
            *([("now paused  ", "warn")] if screen_state.paused else []),
            (f" LIVE {behind} ", "badge_live"),
            (speed, "strong"),
            (clock, "strong"),
        ]
    gone: list[Span] = [("server unreachable  ", "bad")] if frame.unreachable_since_ns is not None else []
    badge = "REPLAY" if screen_state.replay else "KILLED" if state == "killed" else "ENDED"
    role = "badge_replay" if screen_state.replay else "badge_ended"
    return [
        *gone,
        (f" {badge} ", role),
        (speed, "strong"),
        (clock, "strong"),
        (f" / {whole}", "dim"),
    ]


def load(frame: Frame, screen_state: ScreenState, width: int, *, charts: bool = False) -> Row:
    """What came of the load so far, where its plan is, and what it runs against. Where no `charts` say it,
    what is sent and under way as well."""
    errors: list[Span] = [
        ("errors ", "label"),
        (numbers.count(frame.failed), "bad" if frame.failed else "dim"),
    ]
    kinds = sorted(frame.errors.items(), key=lambda item: (-item[1], item[0]))[:3]
    detail = "  ".join(f"{safe(kind, 24)} {numbers.count(times)}" for kind, times in kinds if times)
    if len(kinds) == 1 and kinds[0][1] == frame.failed:  # the number stands before it already
        detail = safe(kinds[0][0], 24)
    under_way = [
        Field(2, ("in flight ", "label"), (numbers.count(frame.in_flight), "in_flight")),
        Field(3, ("backlog ", "label"), (numbers.count(frame.backlog), "warn" if frame.backlog else "dim")),
    ]
    searches = frame.plan is not None and frame.plan.of is None
    fields = [
        *([] if frame.plan is None else plan_progress(frame.plan, frame.in_flight, screen_state, width)),
        *([] if width >= 100 else [Field(0, *verdict_of_run(frame))]),
        *validity(frame),
        _verdict(None if frame.outcome is not None or searches else frame.window),
        *attained(frame, narrow=width < 100),
        Field(4, ("done ", "label"), (numbers.count(frame.succeeded), "")),
        Field(1 if frame.failed or not searches else 3, *errors),
        Field(5, (detail, "bad")),
        Field(2, ("not sent ", "label"), (numbers.count(frame.not_sent), "warn"))
        if frame.not_sent
        else Field(9),
        Field(2, ("cut off ", "label"), (numbers.count(frame.cut_off), "warn"))
        if frame.cut_off
        else Field(9),
        Field(2, ("workload ", "label"), (safe(frame.workload, 24), "warn")) if frame.workload else Field(9),
        Field(6, ("stale ", "label"), (numbers.count(frame.stale_retries), "dim"))
        if frame.stale_retries
        else Field(9),
        *(
            []
            if charts or frame.outcome is not None
            else [throughput_field(frame), window(frame), *under_way]
        ),
        Field(7, (safe(frame.state_message, 60), "dim")),
    ]
    badges = chosen(_badges(frame), width)
    # Which model it is says more than the rest of the figures, where it leaves them any room; how
    # long a search goes on says more than that.
    model = cell_len(safe(frame.model, 48)) + 3 if width >= 100 and frame.model and not searches else 0
    left = chosen(fields, width - 3 - width_of(badges) - model, gap=3 if width >= 100 else 2)
    right = chosen([*_where(frame), Field(0, *badges)], width - width_of(left) - 4)
    return spread(left, right, width)


def throughput_field(frame: Frame) -> Field:
    # Against what was due in the same seconds: while the rate moves, the rate now would be another's.
    sent: list[Span] = [("sent ", "label"), (numbers.rate(frame.achieved_rps), "achieved")]
    if not frame.closed_loop:
        sent += [(" of ", "dim"), (numbers.rate(frame.due_rps), ""), (" due", "dim")]
    return Field(2, *sent, ("/s", "label"))


def _badges(frame: Frame) -> list[Field]:
    """What must never be missed, and is never the loudest."""
    words = ["SIMULATED"] * frame.simulated + ["IMPORTED"] * frame.imported
    return [
        Field(1, ("TLS NOT VERIFIED", "warn")) if frame.insecure else Field(9),
        Field(0, (" ".join(words), "tag")) if words else Field(9),
    ]


def _where(frame: Frame) -> list[Field]:
    return [
        Field(3, (safe(frame.session, 40), "dim")),
        Field(1, (safe(frame.model, 48), "")),
        Field(2, (safe(frame.target, 60).removeprefix("http://"), "dim")),
    ]


def _failing(frame: Frame, screen_state: ScreenState, width: int) -> Row:
    """Nothing else on the screen matters then. Where the load is held for it, how to go on comes first."""
    said = safe(failures(frame.failed, frame.succeeded + frame.failed, frame.causes), 300)
    held = frame.live and screen_state.playhead.following and frame.state in ("stopped", "holding")
    is_left = frame.plan is not None and frame.plan.state == "left"
    more = "" if not held else "   p goes on with the plan " if is_left else "   space resumes "
    head = f" FAILING  errors {said}"
    return spread([(fit(head, width - cell_len(more)), "banner"), (more, "banner")], [], width)


_VERDICT_ROLES = {"steady": "ok", "drifting_up": "warn", "drifting_down": "warn"}


def _verdict(window: Window | None) -> Field:
    """Whether the load that is on is steady; that it drifts stays where there is little room."""
    if window is None:
        return Field(9)
    drifts = window.verdict in DRIFTING
    role = _VERDICT_ROLES.get(window.verdict, "dim")
    return Field(1 if drifts else 3, (words.verdict(window.verdict), role))


_LIMIT_ROLES = {
    "room": "ok",
    "KV cache": "warn",
    "queue": "warn",
    "DRAM bandwidth": "warn",
    "power": "warn",
    "heat": "bad",
    "clocks": "warn",
    "SM": "warn",
    "server": "bad",
    "client": "bad",
}


def limit(frame: Frame, screen_state: ScreenState, width: int) -> Row:
    """What binds now and the figures it rests on; a client in doubt is said across the screen.

    Before there is any load, and behind it, what is waited for.
    """
    if frame.live and frame.state == "probing":
        waiting = f" waiting for the server to answer the probe: {screen_state.silent_s:.0f} s"
        before: Row = [("no load before it   ", "dim")] if width >= 100 else []
        return spread([(waiting, "warn")], [*before, ("q", "key"), (" leaves", "dim")], width)
    if frame.failing:
        return _failing(frame, screen_state, width)
    note = safe(frame.client_note, 160)
    if frame.client_saturated:
        text = " CLIENT SATURATED" + (f": {note}" if note else "")
        more = "   what is shown is the client's limit, not the server's"
        text += more if len(text) + len(more) < width else ""
        return spread([(text.ljust(width), "banner")], [], width)
    if note:
        return spread([("! client: ", "warn"), (note, "warn")], [], width)
    if frame.live and frame.in_flight and frame.drains_until_ns is not None:
        return _drain(frame, frame.drains_until_ns, screen_state, width)
    now = frame.limit
    since = numbers.clock(max(now.since_ns - frame.first_ns, 0), hours=False)
    lasts = f"since {since}" if now.since_ns else ""
    label = "bound last: " if frame.state in ("ended", "killed") else "binds: "
    left: Row = [(label, "label"), _named(frame)]
    troubled = _troubled(frame)
    right: Row = [(troubled, "warn")] if troubled else []
    if now.why:
        of = MEANS_OF.get(now.name, "")
        room = width - width_of(left) - 2 - (len(troubled) + 3 if troubled else 0)
        left.append(("  " + fit_parts(f"mean of {of}: " * bool(of) + safe(now.why, 160), room), ""))
    if frame.live and frame.plan is not None and frame.plan.state == "draining":
        return spread(left, chosen(_cut_short(screen_state), width - width_of(left) - 2), width)
    room = width - width_of(left) - 2 - width_of(right) - 3 * bool(right)
    if lasts and len(lasts) <= room:
        right = [(lasts, "dim"), *([("   ", "")] if right else []), *right]
    return spread(left, right, width)


def _named(frame: Frame) -> Span:
    """What binds. That nothing does is no all-clear where a target is missed; of a run that is over targets
    are judged as a whole, and the limit is that of its end alone."""
    name = frame.limit.name
    role = _LIMIT_ROLES.get(name, "dim")
    if name != "room" or not (names := missed(frame)):
        return limit_name(safe(name, 24)), role
    if frame.state in ("ended", "killed"):
        return limit_name(name), ""
    return f"nothing full, yet {', '.join(names)} missed", "warn"


def _cut_short(screen_state: ScreenState) -> list[Field]:
    """What a person can do while a plan waits for the answers of a stage."""
    own, ends = (keys.short_name(name, screen_state.keymap) for name in ("load_exact", "end_run"))
    return [Field(1, (own, "key"), (" goes on by hand", "dim")), Field(0, (ends, "key"), (" ends it", "dim"))]


def _drain(frame: Frame, until_ns: int, screen_state: ScreenState, width: int) -> Row:
    some = f"{numbers.count(frame.in_flight)} answer{'s' * (frame.in_flight != 1)}"
    left = numbers.clock(max(until_ns - frame.at_ns, 0), hours=False)
    waiting = f" draining {some}, at most {left} more"
    if width >= 100:
        waiting = f" the load is over:{waiting}"
    ends = "a" if screen_state.finishing else f"{keys.short_name('end_run', screen_state.keymap)} a"
    return spread([(waiting, "warn")], [(ends, "key"), (" cuts them off", "dim")], width)


def _troubled(frame: Frame) -> str:
    """How long the client was the limit in the run up to now, as a summary counts it."""
    if not frame.client_saturated_s:
        return ""
    return f"client saturated {frame.client_saturated_s} of {frame.client_judged_s} s"

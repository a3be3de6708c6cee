"""The top two rows: what runs where, in which state, and what the load is."""

from __future__ import annotations

from rich.cells import cell_len

from sessions.bottleneck.rules import OF_MEANS
from sessions.frame.schema import Frame, PlanProgress
from sessions.steady.verdict import DRIFTING, Window
from tui.controls.screen_state import ScreenState
from tui.draw import numbers, words
from tui.draw.failures import failures
from tui.draw.rows import Field, Row, Span, chosen, spread, width_of
from tui.draw.text import fit, safe
from tui.draw.words import limit_name

_STATE_ROLES = {"running": "ok", "holding": "warn", "stopped": "warn", "draining": "warn", "killed": "bad"}


def header(frame: Frame, screen_state: ScreenState, width: int) -> Row:
    right = _where_we_are(frame, screen_state)
    name = safe(frame.session, 40)
    badge = " ".join(["SIMULATED"] * frame.simulated + ["IMPORTED"] * frame.imported)
    left = chosen(
        [
            Field(0, ("ttftop", "name")),
            Field(5, (name, "strong")),
            Field(1, (badge, "badge")) if badge else Field(9),
            Field(2, ("TLS NOT VERIFIED", "warn")) if frame.insecure else Field(9),
            Field(3, (safe(frame.model, 48), "")),
            Field(4, (safe(frame.target, 60).removeprefix("http://"), "dim")),
        ],
        max(width - width_of(right) - 2, 0),
    )
    return spread(left, right, width)


def _where_we_are(frame: Frame, screen_state: ScreenState) -> list[Span]:
    head, theme = screen_state.playhead, screen_state.theme
    clock = numbers.clock(max(frame.at_ns - frame.first_ns, 0))
    state = safe(frame.state, 12)
    if frame.live and head.following:
        shown: list[Span] = [
            (f"{theme.glyph('dot')} LIVE", "ok"),
            (" ", ""),
            (state, _STATE_ROLES.get(state, "")),
        ]
        if frame.unreachable_since_ns is not None:
            lost_s = max(frame.at_ns - frame.unreachable_since_ns, 0) // 1_000_000_000
            shown[2] = (f"server unreachable {lost_s} s", "bad")
        if screen_state.silent_s >= 3 and frame.state != "probing":
            shown.append((f" no data for {screen_state.silent_s:.0f} s", "bad"))
        return [*shown, (f"  {clock}", "strong")]
    whole = numbers.clock(max(frame.last_ns - frame.first_ns, 0))
    playing = theme.glyph("play" if head.playing else "pause")
    if frame.live:
        behind_ns = frame.last_ns - frame.at_ns
        behind = f"-{behind_ns / 1e9:.2f}s" if behind_ns < 1e9 else numbers.clock(-behind_ns, hours=False)
        return [
            *([("now paused  ", "warn")] if screen_state.paused else []),
            (f" LIVE {behind} ", "badge_live"),
            (f" {playing} {head.speed:g}x  ", "strong"),
            (clock, "strong"),
        ]
    gone: list[Span] = [("server unreachable  ", "bad")] if frame.unreachable_since_ns is not None else []
    badge = "REPLAY" if screen_state.replay else "KILLED" if state == "killed" else "ENDED"
    role = "badge_replay" if screen_state.replay else "badge_ended"
    return [
        *gone,
        (f" {badge} ", role),
        (f" {playing} {head.speed:g}x  ", "strong"),
        (clock, "strong"),
        (f" / {whole}", "dim"),
    ]


def load(frame: Frame, screen_state: ScreenState, width: int) -> Row:
    """Offered and achieved, what is under way, what came of it."""
    if frame.closed_loop:
        offered: list[Span] = [("CONCURRENCY ", "label"), (numbers.whole(frame.concurrency), "offered")]
    else:
        offered = [("RATE ", "label"), (numbers.rate(frame.rate_rps), "offered"), (" rps", "label")]
    if screen_state.asked:
        offered.append((f" ({screen_state.asked} asked)", "warn"))
    plan = [] if frame.plan is None else [Field(0, *_plan(frame.plan))]
    # Against what was due in the same seconds: while the rate moves, the rate now would be another's.
    sent: list[Span] = [("sent ", "label"), (numbers.rate(frame.achieved_rps), "achieved")]
    if not frame.closed_loop:
        sent += [(" of ", "dim"), (numbers.rate(frame.due_rps), "")]
    sent.append(("/s", "label"))
    errors: list[Span] = [
        ("errors ", "label"),
        (numbers.count(frame.failed), "bad" if frame.failed else "dim"),
    ]
    kinds = sorted(frame.errors.items(), key=lambda item: (-item[1], item[0]))[:3]
    detail = "  ".join(f"{safe(kind, 24)} {numbers.count(times)}" for kind, times in kinds if times)
    if len(kinds) == 1 and kinds[0][1] == frame.failed:  # the number stands before it already
        detail = safe(kinds[0][0], 24)
    return spread(
        chosen(
            [
                Field(0, *offered),
                *plan,
                Field(1, *sent),
                Field(2, ("in flight ", "label"), (numbers.count(frame.in_flight), "in_flight")),
                _verdict(frame.window),
                Field(
                    3,
                    ("backlog ", "label"),
                    (numbers.count(frame.backlog), "warn" if frame.backlog else "dim"),
                ),
                Field(2, ("not sent ", "label"), (numbers.count(frame.not_sent), "warn"))
                if frame.not_sent
                else Field(9),
                Field(2, ("cut off ", "label"), (numbers.count(frame.cut_off), "warn"))
                if frame.cut_off
                else Field(9),
                Field(4, ("done ", "label"), (numbers.count(frame.succeeded), "")),
                *_attained(frame),
                Field(1, *errors),
                Field(5, (detail, "bad")),
                Field(6, ("stale ", "label"), (numbers.count(frame.stale_retries), "dim"))
                if frame.stale_retries
                else Field(9),
                Field(7, (safe(frame.state_message, 60), "dim")),
            ],
            width,
            gap=3 if width >= 100 else 2,
        ),
        [],
        width,
    )


def _attained(frame: Frame) -> list[Field]:
    """How many held their targets in the last seconds."""
    if frame.attained is None:
        return []
    return [Field(2, ("SLO ", "label"), (f"{frame.attained * 100:.1f}%", "strong"))]


def _plan(plan: PlanProgress) -> Row:
    """The stage, and how long the plan goes on."""
    label = "PLAN " if plan.of is not None else "STEP "
    where = f"{plan.stage}/{plan.of}" if plan.of is not None else f"{plan.stage}:"
    if plan.state == "left":
        return [(label, "label"), (f"left at {where}: p goes on", "warn")]
    shown: Row = [(label, "label"), (where, "strong"), (f" {safe(plan.stage_name, 28)}", "")]
    if plan.state == "draining":
        shown.append((" awaiting answers", "warn"))
    elif plan.state == "over" and plan.of is not None and plan.stage < plan.of:
        shown.append((" pause", "dim"))
    if plan.left_s:
        shown.append((f" {numbers.clock(int(plan.left_s * 1e9), hours=False)} left", "dim"))
    return shown


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
    "room": "limit_room",
    "KV cache": "limit_memory",
    "queue": "limit_memory",
    "DRAM bandwidth": "limit_memory",
    "power": "limit_chip",
    "heat": "limit_chip",
    "clocks": "limit_chip",
    "SM": "limit_chip",
    "server": "limit_server",
    "client": "limit_server",
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
        return _drain(frame, frame.drains_until_ns, width)
    now = frame.limit
    since = numbers.clock(max(now.since_ns - frame.first_ns, 0), hours=False)
    lasts = f"since {since}" if now.since_ns else ""
    label = "last limit: " if frame.state in ("ended", "killed") else "limit: "
    left: Row = [(label, "label"), (f" {limit_name(safe(now.name, 24))} ", _LIMIT_ROLES.get(now.name, "dim"))]
    troubled = _troubled(frame)
    right: Row = [(troubled, "warn")] if troubled else []
    if now.why:
        why, room = safe(now.why, 160), width - width_of(left) - 2 - (len(troubled) + 3 if troubled else 0)
        left.append(("  " + (why if cell_len(why) <= room else fit(why, room)), ""))
    for word in (lasts, "means of 3s" if now.why and now.name in OF_MEANS else ""):
        if word and width_of(left) + 2 + len(word) + width_of(right) + 3 * bool(right) <= width:
            right = [(word, "dim"), *([("   ", "")] if right else []), *right]
    return spread(left, right, width)


def _drain(frame: Frame, until_ns: int, width: int) -> Row:
    some = f"{numbers.count(frame.in_flight)} answer{'s' * (frame.in_flight != 1)}"
    left = numbers.clock(max(until_ns - frame.at_ns, 0), hours=False)
    waiting = f" the load is over: waiting for {some} in flight, at most {left} more"
    if len(waiting) + 20 > width:
        waiting = f" waiting for {some}, at most {left}"
    return spread([(waiting, "warn")], [("q a", "key"), (" cuts them off", "dim")], width)


def _troubled(frame: Frame) -> str:
    """How long the client was the limit in the run up to now, as a summary counts it."""
    if not frame.client_saturated_s:
        return ""
    return f"client saturated {frame.client_saturated_s} of {frame.client_judged_s} s"

"""`ttftop sessions rm|rename|note|tag|pack|repair`: what is done to sessions that are over."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tui.commands.replay import session
from tui.foreground import start
from tui.options import value_types
from tui.options.exit_codes import INTERRUPTED, OK, CommandError, one_line, tell

ACTIONS = {
    "rm": "S...: remove them, after a question",
    "rename": "S NAME: call it otherwise; its id stays",
    "note": "S TEXT: keep a few words with it",
    "tag": "S NAME=VALUE...: as `run --tag`; an empty value takes one away",
    "pack": "S: one file to send, which every command opens as it is",
    "repair": "S: leave out what is no whole line, and keep the originals",
}


def act(options: argparse.Namespace) -> int:
    """Does what `options.action` says.

    Raises:
        CommandError: one line that says why it was not done.
    """
    from sessions.store.directory import find
    from sessions.store.manifest import SessionError
    from sessions.store.pack import is_pack

    words: list[str] = options.words
    action = options.action
    if not words:
        raise CommandError(
            f"sessions {action}: need a session, as {action} {ACTIONS[action].partition(':')[0]}"
        )
    root = start.root(options)
    packed = next((word for word in words[: None if action == "rm" else 1] if is_pack(Path(word))), None)
    if packed is not None:
        raise CommandError(
            f"sessions {action}: {one_line(packed)}: a packed session, which is only read; give the session"
        )
    try:
        if action == "rm":
            found = dict.fromkeys(find(root, word) for word in words)
            return _remove([*found], yes=options.yes)
        directory = session(f"sessions {action}", root, words[0])
        return _one(action, directory, words[1:], options)
    except SessionError as error:
        raise CommandError(f"sessions {action}: {error}") from None


def _one(action: str, directory: Path, words: Sequence[str], options: argparse.Namespace) -> int:
    from sessions.store.change import annotate, rename, tag
    from sessions.store.directory import PACK_SUFFIX
    from sessions.store.pack import pack
    from sessions.store.repair import repair

    wanted = {"rename": (1, 1), "note": (1, 1), "tag": (1, 64), "pack": (0, 0), "repair": (0, 0)}[action]
    if not wanted[0] <= len(words) <= wanted[1]:
        got = f" ({one_line(words[-1])[:40]!r} the last)" if words else ""
        raise CommandError(
            f"sessions {action}: got {len(words)} words after the session{got}, need {ACTIONS[action]}"
        )
    if action == "rename":
        rename(directory, _read(value_types.name, words[0], action))
        print(f"{directory.name} is called {one_line(words[0])}")
    elif action == "note":
        annotate(directory, " ".join(words[0].split()))
    elif action == "tag":
        tags = tag(directory, [_tag(word) for word in words])
        print(f"{directory.name}: {one_line(', '.join(tags)) or 'no tags'}")
    elif action == "pack":
        file = options.output or Path(directory.name + PACK_SUFFIX)
        if file.suffix != PACK_SUFFIX:
            raise CommandError(f"--output: got {one_line(file)}, need a name that ends in {PACK_SUFFIX}")
        print(f"{one_line(file)}: {pack(directory, file):,} bytes; ttftop summary {one_line(file)}")
    else:
        for said in repair(directory) or [f"{directory.name}: every file is whole"]:
            print(one_line(said))
    return OK


def _tag(word: str) -> str:
    name, has_value, value = word.partition("=")
    if has_value and not value and name:
        return word  # takes it away
    return _read(value_types.tag, word, "tag")


def _read(kind: object, word: str, action: str) -> str:
    try:
        return str(kind(word))  # type: ignore[operator]
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"sessions {action}: {error}") from None


def _remove(directories: Sequence[Path], *, yes: bool) -> int:
    from sessions.store.change import remove, unreadable
    from sessions.store.directory import is_session

    for directory in directories:
        if not is_session(directory):
            raise CommandError(f"sessions rm: {one_line(directory)}: no session; ttftop sessions lists them")
    said = [one_line(one.name) + " (unreadable)" * bool(unreadable(one)) for one in directories[:5]]
    names = ", ".join(said)
    more = f" and {len(directories) - 5} more" if len(directories) > 5 else ""
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError(f"sessions rm: {names}{more}: give --yes if that is meant")
        tell(f"ttftop: remove {names}{more}? [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was removed", INTERRUPTED)
    for directory in directories:
        remove(directory)
    print(f"removed {names}{more}")
    return OK

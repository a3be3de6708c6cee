"""What a person has set for all their screens: `settings.toml` in their configuration directory.

What is typed on the command line stands above it. Nothing that is measured depends on it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sessions.user_directory import user_directory
from tui.controls.keymap import KeymapError, remapped
from tui.controls.keys import KEYS, Key
from tui.draw.theme_names import THEMES
from tui.options.exit_codes import CommandError, one_line
from tui.options.parser import did_you_mean

FILE = "settings.toml"
_NEED = "need TOML, as ttftop settings prints it"
CAP_BYTES = 64 << 10
WINDOWS: Mapping[str, float | None] = {"30s": 30.0, "1m": 60.0, "5m": 300.0, "all": None}
FPS = (10, 5, 2, 1)
CHARSETS = ("braille", "ascii")
KNOWN = ("theme", "charset", "fps", "window", "log", "mouse", "keys")


@dataclass(frozen=True)
class Settings:
    """As they are when nothing is set."""

    theme: str = "auto"
    """One of `tui.draw.theme_names.THEMES`."""
    charset: str | None = None
    """None: by the locale and `TERM`."""
    fps: int = FPS[0]
    """How often a screen is drawn each second, at most."""
    window: str = "1m"
    """What the charts of a live run span at first; one of `WINDOWS`."""
    log: bool = True
    """Latencies on a logarithmic scale at first."""
    mouse: bool = False
    """The terminal is asked for its mouse: it can then no longer mark text with it as it does by itself."""
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Actions of `tui.controls.keys` to the keys that do them in place of their own."""

    @property
    def window_s(self) -> float | None:
        return WINDOWS[self.window]

    @property
    def keymap(self) -> tuple[Key, ...]:
        return remapped(self.keys) if self.keys else KEYS


def default_path() -> Path | None:
    """Where they are looked for; None where no home directory is known."""
    place = user_directory("config")
    return None if place is None else place / FILE


def asked_settings(options: argparse.Namespace) -> Settings:
    """The person's own, and above them what was typed.

    Raises:
        CommandError: as `read_settings`.
    """
    from dataclasses import replace

    own = read_settings(default_path())
    typed = {name: getattr(options, name, None) for name in ("theme", "charset")}
    return replace(own, **{name: value for name, value in typed.items() if value is not None})


def read_settings(path: Path | None) -> Settings:
    """Those in the file; as they are without any where there is none.

    Raises:
        CommandError: it cannot be read, or something in it means nothing: file, line, what is allowed.
    """
    import tomli

    from loadgen.small_file import FileError, read_small

    if path is None or not path.is_file():
        return Settings()
    try:
        text = read_small(path, CAP_BYTES).data.decode("utf-8-sig")
        written = tomli.loads(text)
    except FileError as error:
        raise CommandError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path}: it is not UTF-8; {_NEED}") from None
    except tomli.TOMLDecodeError as error:
        raise CommandError(f"{path}: not TOML: {one_line(error)}; {_NEED}") from None
    except RecursionError:
        raise CommandError(f"{path}: not TOML that can be read: too deep; {_NEED}") from None
    return _checked(path, text, written)


def _checked(path: Path, text: str, written: Mapping[str, Any]) -> Settings:
    def wrong(name: str, message: str, table: str = "") -> CommandError:
        line = _line_of(text, name, table)
        where = f"{path}, line {line}" if line else f"{path}"
        return CommandError(one_line(f"{where}: {message}"))

    def choice(name: str, allowed: Iterable[Any]) -> None:
        value, allowed = written.get(name), list(allowed)
        if name in written and (value not in allowed or isinstance(value, bool)):
            near = did_you_mean(value, allowed) if isinstance(value, str) and len(value) > 3 else ""
            need = near or f", need one of {', '.join(map(str, allowed))}"
            raise wrong(name, f"{name} = {_shown(value)}{need}")

    for name in written:
        if name not in KNOWN:
            near = did_you_mean(name, KNOWN)
            raise wrong(name, f"unknown setting {name!r}{near or ', need one of ' + ', '.join(KNOWN)}")
    choice("theme", THEMES)
    choice("charset", CHARSETS)
    choice("fps", FPS)
    choice("window", WINDOWS)
    for name in ("log", "mouse"):
        if name in written and not isinstance(written[name], bool):
            raise wrong(name, f"{name} = {_shown(written[name])}, need true or false")
    keys = written.get("keys", {})
    if not isinstance(keys, dict):
        raise wrong("keys", 'keys: need a table, such as [keys] and below it mark = ["m"]')
    for action, names in keys.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise wrong(
                action, f'{action} = {_shown(names)}, need a list of keys such as ["m", "f5"]', "keys"
            )
    try:
        remapped(keys)
    except KeymapError as error:
        raise wrong(error.action, str(error), "keys") from None
    return Settings(**written)


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 40 else text[:39] + "…"


def _line_of(text: str, name: str, table: str) -> int:
    """Where a name is given a value, from 1; 0 where it is not found, as behind a dot."""
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if head := re.match(r"\s*\[([^\[\]]+)\]", line):
            inside = head[1].strip().strip("\"'")
            if not table and inside == name:
                return number
        elif inside == table and re.match(rf"\s*([\"']?){re.escape(name)}\1\s*=", line):
            return number
    return 0

"""`ttftop settings`: what is set for all screens, where it is kept, and whether it can be read."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tui.controls.keys import KEYS
from tui.options.exit_codes import OK, CommandError
from tui.options.parser import Parser
from tui.options.settings import Settings, default_path, read_settings

EXAMPLES = """\
in the file, all of it optional:
  theme = "safe"        # auto, terminal, dark, light, safe, safe-light
  charset = "ascii"     # braille, ascii
  fps = 5               # 10, 5, 2, 1
  window = "5m"         # 30s, 1m, 5m, all
  log = false
  mouse = true
  [keys]
  mark = ["m", "f5"]    # in place of an action's own keys
"""


def parser() -> Parser:
    parser = Parser("ttftop settings", "[options]", "Say what is set for all screens, as TOML.", EXAMPLES)
    parser.add_argument("--path", action="store_true", help="only where the file is, or would be")
    parser.add_argument("--check", action="store_true", help="only whether it can be read")
    parser.add_argument("--actions", action="store_true", help="every action for [keys], and its keys")
    return parser


def run(options: argparse.Namespace) -> int:
    path = default_path()
    if path is None:
        raise CommandError(
            "settings: no home directory is known (HOME and XDG_CONFIG_HOME are not set); set one of them"
        )
    if options.path:
        print(path)
        return OK
    settings = read_settings(path)
    if options.check:
        print(f"{path}: {'fine' if path.is_file() else 'not there, all is as it comes'}")
    elif options.actions:
        print("\n".join(_actions(settings)))
    else:
        print("\n".join(as_toml(settings)))
    return OK


def as_toml(settings: Settings) -> Iterator[str]:
    """What holds now, as a file could say it."""
    yield f'theme = "{settings.theme}"'
    yield "# charset: by the terminal" if settings.charset is None else f'charset = "{settings.charset}"'
    yield f"fps = {settings.fps}"
    yield f'window = "{settings.window}"'
    yield f"log = {'true' if settings.log else 'false'}"
    yield f"mouse = {'true' if settings.mouse else 'false'}"
    if settings.keys:
        yield "[keys]"
        for action, names in settings.keys.items():
            yield f"{action} = [{', '.join(_quoted(name) for name in names)}]"


def _actions(settings: Settings) -> Iterator[str]:
    keys = {row.action: "" for row in KEYS}
    for row in settings.keymap:
        keys[row.action] = " ".join(filter(None, (keys[row.action], *row.keys)))
    return (f"{action:<16}{names}" for action, names in keys.items())


def _quoted(name: str) -> str:
    return f"'{name}'" if '"' in name or "\\" in name else f'"{name}"'

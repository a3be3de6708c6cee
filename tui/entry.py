"""Where `ttftop` begins: an interrupt that comes while its modules are loaded ends it like any command."""

from __future__ import annotations

import signal


def main() -> int:
    """Runs `ttftop` with the process's arguments; returns the exit code."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else ignored: `nohup`
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is to be saved yet, and no traceback told
    from tui import cli

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()

"""What a person can type after `ttftop`: one module and one row each.

A command's module has `parser()`, which says what it takes, and `run(options)`, which does it and
returns the exit code. Nothing is imported before the command is known, so `ttftop --help` stays quick.
"""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("tui.commands.run", "load a server and watch it (also: ttftop URL)"),
    "demo": ("tui.commands.demo", "the same on a simulated server: try the keys, risk nothing"),
    "simulate": ("tui.commands.simulate", "run the simulated server alone"),
    "sessions": ("tui.commands.sessions", "list what was recorded"),
    "attach": ("tui.commands.attach", "open the screen on a run that is going on"),
    "replay": ("tui.commands.replay", "open the screen on a recorded run"),
    "limit": ("tui.commands.limit", "find the highest load that holds targets"),
    "plan": ("tui.commands.plan", "list, show and check plans: loads that follow each other"),
    "summary": ("tui.commands.summary", "print what a run says"),
    "compare": ("tui.commands.compare", "say whether one run is better or worse than another"),
    "report": ("tui.commands.report", "runs as a page, a table or text in a file, to send to somebody"),
    "import": ("tui.commands.import_", "make sessions of other tools' result files"),
    "export": ("tui.commands.export", "a session as another tool's result file, a table or a trace"),
    "calibrate": ("tui.commands.calibrate", "measure how much this machine can load cleanly"),
    "settings": ("tui.commands.settings", "say what is set for all screens, and where"),
    "doctor": ("tui.commands.doctor", "check this machine, and what a server can do"),
}
"""Name to module and one line of help, in the order in which help shows them."""

STARTS_A_RUN = ("run", "demo", "limit")
"""Commands that start a run: for them `options.prestarted` is a supervisor (`sessions.run.prestart`)."""

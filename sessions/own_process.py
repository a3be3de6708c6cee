"""The command that runs a module of ours in a process of its own, whatever directory it is started in.

`python -m` looks for modules in the working directory first: a `json.py` that lies there would run inside the
process that gets the API key. Python's own way out of that, `-P`, came with 3.11.
"""

from __future__ import annotations

import errno
import os
import sys

# Not by pathlib: it takes long to import, and a supervisor is started first of all.
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
_RUN = (
    "import sys\n"
    "if '' in sys.path: sys.path.remove('')\n"
    "sys.path.append(sys.argv.pop(1))\n"
    "import runpy\n"
    "try:\n"
    "    runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)\n"
    "except ModuleNotFoundError as error:\n"
    "    ours = ('', 'loadgen', 'sessions', 'telemetry', 'tui')\n"
    "    if (error.name or '').split('.')[0] in ours: raise\n"
    "    sys.exit(f'the package {error.name} is missing in this Python')\n"
)

SECRETS = ("TTFTOP_API_KEY", "OPENAI_API_KEY", "TTFTOP_HEADERS")
"""Of our environment what a run's processes are told by their stdin alone: an environment can be read from
outside for as long as the process lives."""


class CannotStart(Exception):
    """The system gives no more processes or threads: its text is one line."""

    def __init__(self) -> None:
        super().__init__(f"no process or thread can be started: {os.strerror(errno.EAGAIN)}")


def module_command(module: str, *arguments: str) -> list[str]:
    """The argument list that runs `module` as `python -m` would, but not from the working directory."""
    return [sys.executable, "-c", _RUN, _ROOT, module, *arguments]

"""The ssh that runs our poller on another node: the user's own, without what belongs to their logins."""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
from collections.abc import Sequence

from telemetry.source_spec import Node

CONNECT_S = 10

OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={CONNECT_S}",
    "ConnectionAttempts=1",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    # An open connection of the user's is used; ours is never the one that theirs go through, and end with.
    "ControlMaster=no",
    # What ~/.ssh/config wants of a login would stand in our way, or take ports from the user's own.
    "ClearAllForwardings=yes",
    "Tunnel=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "SessionType=default",
    "StdinNull=no",
    "ForkAfterAuthentication=no",
)
"""An ssh of before 8.7 does not know all of the last ones: it then says which, and is asked without it."""

_UNKNOWN = re.compile(r"bad configuration option: \"?([a-z]+)", re.IGNORECASE)

# Not `python -m`: that would run modules of the directory that a login starts in.
_PATH = "import sys; sys.path[:] = filter(None, sys.path); "


def find_and_run(module: str, arguments: Sequence[str]) -> str:
    """What a login's shell runs there: `main` of a module of ours, in a Python that has ttftop."""
    has = f"{_PATH}import {module}"
    run = f"{_PATH}from {module} import main; sys.exit(main())"
    # pipx and uv leave the command ttftop alone, a link into an environment that has a python beside it.
    # sh, because the login's shell may be another; no single quotes and no line ends, for the same reason.
    find = (
        't=$(command -v ttftop || echo "$HOME/.local/bin/ttftop"); t=$(readlink -f "$t" || echo "$t"); '
        'for p in python3 "${t%/*}/python"; do '
        f'"$p" -c "{has}" 2>/dev/null && exec "$p" -c "{run}" "$@"; done; '
        f'exec python3 -c "{run}" "$@"'
    )
    return f"exec {shlex.join(['sh', '-c', find, 'sh', *arguments])}"


NOT_THERE = (
    "no ttftop there: neither in its python3, nor as a command on the PATH of a login or in ~/.local/bin; "
    "need it installed there (pip, pipx, uv)"
)
NO_SSH = "there is no ssh on the PATH here; need the client of OpenSSH"
_TO_START = {
    errno.ENOENT: "need it on the PATH",
    errno.EACCES: "need a right to run it",
    errno.EMFILE: "need more file descriptors (ulimit -n)",
    errno.ENFILE: "need more file descriptors (ulimit -n)",
    errno.ENOMEM: "need more memory (ulimit -a, free)",
    errno.EAGAIN: "need one process more (ulimit -a)",
}
LOOK_THERE = "on that machine, ttftop doctor shows what is wrong"
_MOST_SAID = 80
"""Of what ssh says: with the rest two lines of a terminal."""


def need_to_start(error: OSError) -> str:
    """What to do where `error` is why a process cannot be started."""
    return _TO_START.get(error.errno or 0, "need a start of it by hand, which may say why")


def by_hand(node: Node) -> str:
    """What a person types to try the same way."""
    port = f"-p {node.port} " if node.port is not None else ""
    return f"ssh {port}{f'{node.user}@' if node.user else ''}{node.host} true"


def why_not(node: Node, code: int, said: str, module: str) -> str:
    """Of an ssh that ended with `code` and `said` last, which was to run `module` there: what stood in its
    way, and what to do; empty where nothing is known of it."""
    said = said[:_MOST_SAID]
    if code == 255:
        need = f"need {by_hand(node)} to get in by a key, without a question"
        return f"cannot connect ({said or 'ssh gives no reason'}); {need}"
    if "No module named" in said and module in said:
        return NOT_THERE
    if code == 127:
        return f"no python3 there ({said or 'exit code 127'}); need Python 3.10 or later, with ttftop in it"
    return ""


def command(node: Node, target_url: str, without: frozenset[str] = frozenset()) -> list[str]:
    """The argument list that runs our poller there. Nothing of it passes through a shell here.

    Args:
        without: options, in small letters, that this machine's ssh does not know.
    """
    there = ["--answer", *(["--target", target_url] if target_url else [])]
    return ssh_command(node, find_and_run("telemetry.__main__", there), without=without)


def ssh_command(
    node: Node, there: str, options: Sequence[str] = OPTIONS, without: frozenset[str] = frozenset()
) -> list[str]:
    """The argument list that has the login's shell there read `there`: it reads one string."""
    argv = ["ssh", "-T", "-a", "-x"]
    for option in options:
        if option.partition("=")[0].lower() not in without:
            argv += ["-o", option]
    if node.port is not None:
        argv += ["-p", str(node.port)]
    if node.user:
        argv += ["-l", node.user]
    return [*argv, "--", node.host, there]


_BIND = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.getppid() == int(sys.argv[1]) or sys.exit(1); "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)
"""PR_SET_PDEATHSIG, SIGKILL: an ssh that still connects would not see that we are gone."""


def ends_with_us(argv: list[str]) -> list[str]:
    """`argv` so that it ends with the thread that starts it, however that ends; unchanged but on Linux."""
    if sys.platform != "linux":
        return argv
    return [sys.executable, "-I", "-S", "-c", _BIND, str(os.getpid()), *argv]


def unknown_option(said: str) -> frozenset[str]:
    """The option of ours that ssh complains of, in small letters; none when it is of something else."""
    match = _UNKNOWN.search(said)
    ours = {option.partition("=")[0].lower() for option in OPTIONS}
    return frozenset({match[1].lower()} & ours) if match else frozenset()

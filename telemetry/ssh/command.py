"""The ssh that runs our poller on another node: the user's own, without what belongs to their logins."""

from __future__ import annotations

import re
import shlex

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
_HAS_TTFTOP = f"{_PATH}import telemetry.__main__"
_RUN = f"{_PATH}from telemetry.__main__ import main; sys.exit(main())"
# pipx and uv leave the command ttftop alone, a link into an environment that has a python beside it.
# sh, because the login's shell may be another; no single quotes and no line ends, for the same reason.
_FIND = (
    't=$(command -v ttftop || echo "$HOME/.local/bin/ttftop"); t=$(readlink -f "$t" || echo "$t"); '
    'for p in python3 "${t%/*}/python"; do '
    f'"$p" -c "{_HAS_TTFTOP}" 2>/dev/null && exec "$p" -c "{_RUN}" "$@"; done; '
    f'exec python3 -c "{_RUN}" "$@"'
)
NOT_THERE = (
    "no ttftop there: its python3 cannot import it, and there is no command ttftop on the PATH of a login "
    "nor in ~/.local/bin (pipx, uv)"
)


def command(node: Node, target_url: str, without: frozenset[str] = frozenset()) -> list[str]:
    """The argument list that runs our poller there. Nothing of it passes through a shell here.

    Args:
        without: options, in small letters, that this machine's ssh does not know.
    """
    there = ["--answer", *(["--target", target_url] if target_url else [])]
    argv = ["ssh", "-T", "-a", "-x"]
    for option in OPTIONS:
        if option.partition("=")[0].lower() not in without:
            argv += ["-o", option]
    if node.port is not None:
        argv += ["-p", str(node.port)]
    if node.user:
        argv += ["-l", node.user]
    # The shell there reads one string.
    return [*argv, "--", node.host, f"exec {shlex.join(['sh', '-c', _FIND, 'sh', *there])}"]


def unknown_option(said: str) -> frozenset[str]:
    """The option of ours that ssh complains of, in small letters; none when it is of something else."""
    match = _UNKNOWN.search(said)
    ours = {option.partition("=")[0].lower() for option in OPTIONS}
    return frozenset({match[1].lower()} & ours) if match else frozenset()

"""The words of `--telemetry`, and what each asks for.

Cheap to import: a wrong word is refused before anything else happens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from telemetry.source import TelemetryError, plain

ALLOWED = "allowed are auto, none, nvml, host, ssh://host, or addresses such as http://node1:9400/metrics"
_SSH_ALLOWED = "allowed is ssh://[user@]host[:port]"
# No leading hyphen anywhere: ssh would read an option.
_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]{0,63})@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


_PLAIN_END = re.compile(r"[A-Za-z0-9.:\[\]-]+(?:/metrics)?/?")


class Node(NamedTuple):
    """A machine that is reached over ssh. `port` None: as the user's ssh configuration says."""

    host: str
    user: str = ""
    port: int | None = None


class SourceSpec(NamedTuple):
    """What the words of `--telemetry` ask for, all together."""

    auto: bool = False
    """This machine's GPUs, the target's own /metrics, and the host, as far as they are there."""
    nvml: bool = False
    """This machine's GPUs by NVML, in any case."""
    host: bool = False
    """This machine's CPU, memory and network."""
    urls: tuple[str, ...] = ()
    """Addresses of /metrics pages, with their paths."""
    nodes: tuple[Node, ...] = ()
    """Machines whose GPUs and host are read over ssh."""


def parse_sources(words: Sequence[str]) -> SourceSpec:
    """What the words of `--telemetry` ask for.

    Raises:
        TelemetryError: a word is none of these, or an address is no plain http(s) or ssh address.
    """
    if "none" in words:
        if set(words) != {"none"}:
            got = plain(" ".join(map(plain, words)), 100)
            raise TelemetryError(
                f"--telemetry: got {got}, but none stands alone; leave it out, or the others"
            )
        return SourceSpec()
    addresses = [word for word in words if word not in ("auto", "nvml", "host")]
    urls = [metrics_url(word) for word in addresses if not word.startswith("ssh:")]
    nodes = [parse_node(word) for word in addresses if word.startswith("ssh:")]
    return SourceSpec(
        "auto" in words,
        "nvml" in words,
        "host" in words,
        tuple(urls),
        tuple(nodes),
    )


def parse_node(word: str) -> Node:
    """`ssh://[user@]host[:port]`; `host` may be an alias of the user's ssh configuration.

    Raises:
        TelemetryError: it is none; the word is shown unless it holds a password.
    """
    match = _ADDRESS.fullmatch(word)
    if match is None:
        if ":" in word.partition("://")[2].rpartition("@")[0]:
            raise TelemetryError(
                f"--telemetry: got {_masked(word)}, an ssh address must not hold a password; {_SSH_ALLOWED}"
            )
        raise TelemetryError(f"--telemetry: got {plain(word)}; {_SSH_ALLOWED}")
    port = match["port"]
    if port is not None and not 0 < int(port) < 65536:
        raise TelemetryError(f"--telemetry: got {plain(word)}, a port is 1 to 65535; {_SSH_ALLOWED}")
    return Node(match["host"].strip("[]"), match["user"] or "", None if port is None else int(port))


def metrics_url(word: str) -> str:
    """`word` as the address of metrics, with their usual path if it has none.

    Raises:
        TelemetryError: it is no plain http(s) address.
    """
    if "@" in word:
        raise TelemetryError(
            f"--telemetry: got {_masked(word)}, an address must not hold a user name or password; "
            "leave them out"
        )
    query = word.partition("?")[2]
    if "#" in word or ("?" in word and [name for name, _ in parse_qsl(query, True)] != ["model"]):
        # A query or a fragment may hold a token, and the session keeps the address.
        raise TelemetryError(
            f"--telemetry: got {_masked(word)}, an address must hold no query but ?model=NAME; "
            "give scheme, host, port and path"
        )
    where = f"--telemetry: got {plain(word)}"
    try:
        parts = urlsplit(word)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise TelemetryError(f"{where}, which is no address; {ALLOWED}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
        raise TelemetryError(f"{where}; {ALLOWED}")
    if any(not char.isprintable() or char.isspace() for char in word):
        raise TelemetryError(f"{where}, which holds spaces or control characters; {ALLOWED}")
    return word if parts.path not in ("", "/") else parts._replace(path="/metrics", fragment="").geturl()


def _masked(word: str) -> str:
    """`word` without what may be a secret: all before an `@`, all of a query or fragment."""
    scheme = match[0] if (match := re.match(r"[a-z]{1,10}://", word)) else ""
    if "@" not in word:
        before, mark, _ = re.split("([?#])", word, maxsplit=1)
        return f"{plain(before, 60)}{mark}***"
    after = word.rpartition("@")[2]
    host = f"@{after[:60]}" if _PLAIN_END.fullmatch(after) and not re.search("[?#]", word) else ""
    return f"{scheme}***{host}"

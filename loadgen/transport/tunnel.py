"""A tunnel through an HTTP proxy, asked for with CONNECT, as sans-IO (RFC 9110, 9.3.6).

Credentials are not sent: a proxy that wants some is said to.
"""

from __future__ import annotations

import re

from loadgen.errors import printable

_HEADER_BYTES_MAX = 65_536
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r?\n")


class TunnelRefused(Exception):
    """The proxy does not pass us on. The text says why."""


class Tunnel:
    """Send `request`, `feed` what comes until that says that the tunnel is open."""

    def __init__(self, authority: str) -> None:
        self.request = f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n".encode("ascii")
        self._answer = b""

    def feed(self, data: bytes) -> bool:
        """True once bytes go to the server itself.

        Raises:
            TunnelRefused: they will not.
        """
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _HEADER_BYTES_MAX:
                raise TunnelRefused(f"the proxy's answer has more than {_HEADER_BYTES_MAX} bytes of headers")
            return False
        status = _STATUS.match(head + end)
        if status is None:
            raise TunnelRefused("the proxy's answer is not HTTP")
        if status[1] == b"407":
            raise TunnelRefused("the proxy wants a user name or password (HTTP 407), and none is sent")
        if status[1].startswith(b"1"):  # not its last word
            self._answer = b""
            return self.feed(rest)
        if not status[1].startswith(b"2"):
            reason = printable((status[2] or b"").decode("latin-1"), 60)
            raise TunnelRefused(f"the proxy refused a tunnel: HTTP {status[1].decode()} {reason}".rstrip())
        if rest:
            raise TunnelRefused("the proxy sent more than its answer before the tunnel was used")
        return True

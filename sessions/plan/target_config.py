"""The servers a run goes to, as they were asked for."""

from __future__ import annotations

import msgspec

from loadgen.endpoint_names import AskedEndpoint


class OtherTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A server beside the first one. All else is asked of it as of that."""

    url: str
    weight: int = 1


class TargetConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """The server under test. `url` never holds credentials."""

    url: str
    model: str | None = None
    """None: the only model the server lists."""
    endpoint: AskedEndpoint = "auto"
    ca_file: str | None = None
    insecure: bool = False
    cert_file: str | None = None
    """The client's own certificate, where a server wants one."""
    cert_key_file: str | None = None
    path: str | None = None
    """Requests go to this path and no other."""
    headers: list[str] = msgspec.field(default_factory=list)
    """What a person added to every request: `name: value` where it is no secret, else the name alone."""
    proxy: str | None = None
    """An HTTP proxy on the way, `http://host:port`. Only what was asked for: the environment is not read."""
    weight: int | None = None
    """Its part of the requests beside `others`; None where it is alone."""
    others: list[OtherTarget] | None = None
    """Servers that the load goes to as well, in the order of their numbers, from 1; None: no other."""
    sources: list[str] | None = None
    """IP addresses of this machine that connections go from, in turn; None: as the kernel chooses."""

    @property
    def all(self) -> list[OtherTarget]:
        """Every server by its number, this one first."""
        return [OtherTarget(self.url, self.weight or 1), *(self.others or [])]

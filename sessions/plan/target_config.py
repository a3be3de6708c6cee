"""The servers under test, as a run asks for them."""

from __future__ import annotations

import msgspec

from loadgen.endpoint_names import AskedEndpoint
from loadgen.worker_config import MOST_TARGETS, MOST_WEIGHT


class TargetsError(ValueError):
    """One line: what was wrong, what is allowed."""


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
    """Its part of the requests beside `others`; None where it is alone and no plan named it."""
    others: list[OtherTarget] | None = None
    """Servers that the load goes to as well, in the order of their numbers, from 1; None: no other."""
    sources: list[str] | None = None
    """IP addresses of this machine that connections go from, in turn; None: as the kernel chooses."""

    @property
    def all(self) -> list[OtherTarget]:
        """Every server by its number, this one first."""
        return [OtherTarget(self.url, self.weight or 1), *(self.others or [])]


def check_targets(target: TargetConfig) -> None:
    """Raises:
    TargetsError: they are too many, or one is named twice or has no weight.
    """
    each = target.all
    if len(each) > MOST_TARGETS:
        raise TargetsError(f"--target: got {len(each)} targets, need at most {MOST_TARGETS}")
    for number, one in enumerate(each):
        if one.url in (other.url for other in each[:number]):
            raise TargetsError(
                f"--target: {one.url} is named twice; give it once, with a weight: 2@{one.url}"
            )
        if not 1 <= one.weight <= MOST_WEIGHT:
            raise TargetsError(
                f"--target: {one.url}: got weight {one.weight}, need a whole number from 1 to {MOST_WEIGHT}"
            )
    for number, source in enumerate(sources := target.sources or []):
        if source in sources[:number]:
            raise TargetsError(f"--source-address: {source} is named twice")

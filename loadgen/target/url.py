"""The URL a person typed: checked, normalised, and turned into an address and request headers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from loadgen.endpoint_names import EndpointName
from loadgen.errors import printable
from loadgen.version import VERSION
from loadgen.worker_config import Address

if TYPE_CHECKING:
    from loadgen.target.api_key import ApiKey

_VERSION = re.compile(r"/v[0-9]+(?:(?:alpha|beta)[0-9]*)?\Z", re.IGNORECASE)
_QUERY = re.compile(r"[A-Za-z0-9._~!$&()*+,;=:@/?%-]*")
_SECRET = re.compile(r"key|token|secret|sig|pass|auth|cred|code", re.IGNORECASE)
"""In the name of a parameter: what it stands for belongs into no address that is shown and kept."""
_HOST = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PLAIN = re.compile(
    r"(?P<scheme>https?)://"
    rf"(?P<host>(?:{_OCTET}\.){{3}}{_OCTET}|(?![0-9.]*[:/]|[0-9.]*\Z|.*xn--)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)"
    r"(?::\d+)?"
    r"(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?)",
    re.ASCII,
)
"""URLs that say what they mean as they stand. httpx reads all others: to import it takes a tenth of a second,
for which the first request would wait."""
SUFFIXES: dict[EndpointName, str] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
    "messages": "/messages",
    "embeddings": "/embeddings",
    "tgi": "/generate_stream",
    "ollama": "/api/generate",
    "ollama-chat": "/api/chat",
    "llamacpp": "/completion",
}
"""How the path of each ends, without its version; one that ends another stands behind it."""
_UNVERSIONED = frozenset[EndpointName]({"tgi", "ollama", "ollama-chat", "llamacpp"})
"""Their paths lie beside the API, not below its version."""
_ROOT = re.compile(
    rf"(?P<root>.*?)(?:{'|'.join(map(re.escape, [*SUFFIXES.values(), '/models']))})?/*", re.DOTALL
)
_LONGEST = 2000
_DEFAULT_PORTS = {"http": 80, "https": 443}


class TargetError(Exception):
    """The URL cannot be used: one line with what is wrong and, where it is clear, the right form."""


@dataclass(frozen=True)
class Target:
    """A server under test."""

    address: Address
    base_path: str
    """What stands before `/v1`, where another version stands that too: empty, or starts with `/` and does not
    end with one."""
    url: str
    """For people: normalised, without `/v1`, never with credentials."""
    host_header: str
    proxy: Address | None = None
    """Connect to this HTTP proxy instead, and name the server in each request; for TLS, dig a tunnel."""
    endpoint: EndpointName | None = None
    """The one that the URL ends in; its path is as typed, `base_path` with `/v1` included where that was."""
    query: str = ""
    """Sent with each request (`?api-version=...`); empty, or from its `?` on."""
    path: str | None = None
    """The only path that is loaded, whatever the endpoint, where a person named it."""

    @property
    def roots(self) -> tuple[str, ...]:
        """Where the API may begin, likeliest first: what stands before `/models` and `/completions`."""
        if self.endpoint is not None and self.endpoint not in _UNVERSIONED:
            return (self.base_path,)
        if _VERSION.search(self.base_path):
            return (self.base_path, f"{self.base_path}/v1")
        return (f"{self.base_path}/v1", self.base_path)

    @property
    def hop(self) -> Address:
        """Where connections go, and through what."""
        if self.proxy is None:
            return self.address
        if not self.address.tls:
            return msgspec.structs.replace(self.proxy, proxy=True, sources=self.address.sources)
        return msgspec.structs.replace(
            self.address,
            proxy=True,
            host=self.proxy.host,
            port=self.proxy.port,
            server_name=self.address.server_name or self.address.host,
            tunnel=f"{self.address.host}:{self.address.port}",
        )

    def request_target(self, path: str) -> str:
        """What the request line names for `path`; absolute to a proxy (RFC 9112, 3.2)."""
        absolute = "" if self.proxy is None or self.address.tls else f"http://{self.host_header}"
        return f"{absolute}{path}{self.query}"

    @property
    def loopback(self) -> bool:
        """On this machine as far as the name tells: no proxy belongs in between."""
        return self.address.unix_path is not None or is_loopback(self.address.host)


def is_loopback(host: str) -> bool:
    """What is sent there does not leave this machine: an address of the loopback, or a name that means it
    (RFC 6761, section 6.3). Nothing is looked up."""
    import ipaddress

    name = host.strip("[]").lower().rstrip(".")
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def parse_target(
    text: str,
    *,
    ca_file: str | None = None,
    insecure: bool = False,
    cert_file: str | None = None,
    cert_key_file: str | None = None,
    proxy: str | None = None,
    path: str | None = None,
    sources: Sequence[str] = (),
) -> Target:
    """The server that `text` names: `http(s)://host[:port][/base][/v1[/chat/completions]][?query]` or
    `unix:/path`; in place of `/v1/chat/completions` any other endpoint's path may stand.

    `sources`: IP addresses of this machine that connections go from, in turn.

    Raises:
        TargetError: it names none, `proxy` names no HTTP proxy that can carry it, or `path` is none.
    """
    target = _parsed(text, ca_file, insecure)
    if sources:
        target = replace(target, address=msgspec.structs.replace(target.address, sources=tuple(sources)))
    if cert_file is not None:
        address = msgspec.structs.replace(target.address, cert_file=cert_file, cert_key_file=cert_key_file)
        target = replace(target, address=address)
    if path is not None:
        if not path.startswith("/") or not _QUERY.fullmatch(path) or "?" in path or len(path) > _LONGEST:
            raise TargetError(f"--path: got {_shown(path)!r}, need one such as /v3/chat/completions")
        target = replace(target, path=path, endpoint=target.endpoint or _endpoint_of(path))
        whole = path.rstrip("/")
        if target.endpoint is not None and (root := whole.removesuffix(SUFFIXES[target.endpoint])) != whole:
            target = replace(target, base_path=root)
    return target if proxy is None else replace(target, proxy=_proxy(proxy, target))


def _proxy(text: str, target: Target) -> Address:
    if target.address.unix_path is not None:
        raise TargetError("--proxy: a Unix socket is on this machine, no proxy leads to it")
    if ":" in target.address.host:
        raise TargetError(
            "--proxy: a proxy is told the server's name, and an IPv6 address is none: need a name"
        )
    if "@" in text:
        raise TargetError(f"--proxy: {_shown(text)}: need one that asks for no user name or password")
    try:
        proxy = _parsed(text, None, False)
    except TargetError as error:
        raise TargetError(f"--proxy: {error}") from None
    if proxy.address.unix_path is not None or proxy.address.tls or proxy.base_path:
        raise TargetError(f"--proxy: got {proxy.url}, need an address such as http://proxy:3128")
    return proxy.address


def _parsed(text: str, ca_file: str | None, insecure: bool) -> Target:
    shown = _shown(text)
    if not text.strip():
        raise TargetError("the URL is empty, need one such as http://localhost:8000")
    if text.startswith("unix:"):
        return _unix(text, shown)
    if re.search(r"\s", text):
        raise TargetError(f"{shown}: the URL has a space in it")
    if not text.isprintable():
        raise TargetError(f"{shown}: the URL has an unprintable character in it")
    if len(text) > _LONGEST:
        raise TargetError(f"{shown}: the URL has {len(text):,} characters, need at most {_LONGEST:,}")
    scheme, slashes, rest = text.partition("://")
    if not slashes:
        bare = re.sub(r"\Ahttps?:/?", "", text.lstrip("/"), flags=re.IGNORECASE)
        tail = f": http://{_shown(bare)}" if bare else ", such as http://localhost:8000"
        raise TargetError(f"{shown}: the URL needs a scheme{tail}")
    if scheme.lower() not in _DEFAULT_PORTS:
        raise TargetError(f"{shown}: the scheme is {printable(scheme, 40)!r}, need http or https")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest:  # a password may hold what looks like the end of it
        raise TargetError(
            f"{shown}: a user name or password in the URL is refused; "
            "give a key by TTFTOP_API_KEY or --api-key-file"
        )
    host_text, port = _split_port(authority, shown)
    if not host_text:
        raise TargetError(
            f"{shown}: the URL names no host, need one such as {scheme.lower()}://localhost:8000"
        )
    if "#" in rest:
        raise TargetError(f"{shown}: the URL has a fragment, need it without '#'")
    text, _, query = text.partition("?")
    for parameter in re.split("[&;]", query) if query else ():
        name, equals, _ = parameter.partition("=")
        if not equals or _SECRET.search(name):
            what = f" ({printable(name, 20)!r})" if equals else ""
            raise TargetError(
                f"{shown}: its query holds what may be a secret{what}, and the URL is shown and kept; "
                "give it by --header or TTFTOP_API_KEY"
            )
    if not _QUERY.fullmatch(query):
        raise TargetError(f"{shown}: the query cannot be sent as it stands; write other characters as %XX")

    scheme, host, path = _parts(text, shown)
    if "%" in host and ":" in host:
        raise TargetError(
            f"{shown}: an IPv6 zone (%) cannot be used, need an address that is valid without it"
        )
    if ":" not in host and not _HOST.fullmatch(host):
        raise TargetError(f"{shown}: the host is no host name")
    default = _DEFAULT_PORTS[scheme]
    host_header = f"[{host}]" if ":" in host else host
    if port is not None and port != default:
        host_header += f":{port}"
    match = _ROOT.fullmatch(path)
    assert match is not None
    base = match["root"].rstrip("/")
    endpoint = _endpoint_of(path)
    if endpoint is None:
        shorter = base.removesuffix("/v1").rstrip("/")
        # Kept where what is left would say something else: the URL is read again from what is shown.
        base = shorter if _endpoint_of(shorter) is None else base
    query = f"?{query}" if query else ""
    address = Address(
        host=host,
        port=default if port is None else port,
        tls=scheme == "https",
        server_name=host,
        ca_file=ca_file,
        insecure=insecure,
    )
    url = f"{scheme}://{host_header}{base}{'' if endpoint is None else SUFFIXES[endpoint]}{query}"
    return Target(address, base, url, host_header, endpoint=endpoint, query=query)


def _endpoint_of(path: str) -> EndpointName | None:
    path = path.rstrip("/")
    return next((name for name, suffix in SUFFIXES.items() if path.endswith(suffix)), None)


def _parts(text: str, shown: str) -> tuple[str, str, str]:
    """Scheme, host and path, as they go over the wire."""
    if plain := _PLAIN.fullmatch(text):
        return plain["scheme"], plain["host"], plain["path"]

    import httpx

    try:
        url = httpx.URL(text)
        return url.scheme, url.raw_host.decode("ascii"), url.raw_path.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise TargetError(f"{shown}: the URL cannot be read: {printable(str(error), 80)}") from None


ACCEPTS = ("text/event-stream, application/json", "application/json", "*/*")
"""What to say that is accepted as a stream: some gateways refuse the first (HTTP 406), OpenAI's own clients
say the second, curl the last."""


def headers(
    target: Target, api_key: ApiKey | None, accept: str = ACCEPTS[0], more: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """The headers of every streaming request, names in lower case. They hold secrets: never log them.

    `more`: what a person added, in place of ours of the same name.
    """
    made = [
        ("host", target.host_header),
        ("content-type", "application/json"),
        ("accept", accept),
        ("accept-encoding", "identity"),
        ("user-agent", f"ttftop/{VERSION}"),
    ]
    if api_key is not None:
        made.append(("authorization", f"Bearer {api_key.reveal()}"))
    replaced = {name for name, _ in more}
    return [header for header in made if header[0] not in replaced] + list(more)


def _unix(text: str, shown: str) -> Target:
    path = text.removeprefix("unix:")
    if path.startswith("//"):
        path = path[2:]
    if not path.startswith("/"):
        raise TargetError(f"{shown}: need the absolute path of a socket: unix:/run/server.sock")
    if not path.isprintable():
        raise TargetError(f"{shown}: the path of the socket has an unprintable character in it")
    if len(path.encode()) > 107:
        raise TargetError(f"{shown}: the path of a Unix socket is at most 107 bytes long")
    address = Address(host="localhost", port=0, server_name="localhost", unix_path=path)
    return Target(address, "", f"unix:{path}", "localhost")


def _split_port(authority: str, shown: str) -> tuple[str, int | None]:
    """Host and port as typed; httpx lets 0, 99999 and digits of other scripts pass."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", authority)
    if match is None or (authority.count(":") > 1 and not match[1].startswith("[")):
        raise TargetError(f"{shown}: the host cannot be read; an IPv6 address stands in brackets: [::1]:8000")
    host, port = match[1], match[2]
    if port is None:
        return host, None
    if not re.fullmatch(r"[0-9]{1,6}", port) or not 1 <= int(port) <= 65535:
        raise TargetError(f"{shown}: the port is {printable(port, 20)!r}, need a number from 1 to 65535")
    return host, int(port)


def _shown(text: str) -> str:
    """What was typed, without what may be a secret in it."""
    text = re.sub(r"\A(https?://)?.*@", r"\1***@", text, flags=re.DOTALL)
    return printable(re.sub(r"([?#]).+", r"\1***", text, flags=re.DOTALL), 120)

"""The cause of a failed HTTP request in one line, with what a person may do about it."""

from __future__ import annotations

from pathlib import Path

from loadgen.errors import CLIENT_KINDS, describe
from loadgen.probe.round_trip import Broken
from loadgen.target.url import Target
from loadgen.transport.tls import NOT_VERIFIED

_CURES = {
    "not yet valid": "is this machine's clock right? else --insecure",
    "expired": "it has to be renewed; until then --insecure",
    "mismatch": "ask for it by the name that it is for, or use --insecure",
}
"""By a word of OpenSSL's (x509_vfy.h), where no --ca would help."""
_WANTS_CERTIFICATE = ("certificate required", "handshake failure", "during the tls handshake", "eof")


def explain(broken: Broken, target: Target) -> str:
    """One line for a failure on the way to an answer, not yet made safe to print."""
    said, host, unix = broken.message, target.hop.host, target.address.unix_path
    if broken.kind == "dns":
        return f"the name {host} cannot be resolved ({said})"
    if broken.kind == "connect_timeout":
        return f"{said}{'; does it speak TLS?' if target.address.tls else ''}"
    if broken.kind == "tls":
        return _tls(said)
    if broken.kind == "connect_refused":
        if unix is not None and not _is_socket(unix):
            return "there is something else than a socket"
        what = "server" if target.proxy is None else f"proxy at {host}:{target.proxy.port}"
        return f"connection refused; is the {what} running?"
    if broken.kind in CLIENT_KINDS:
        return f"{describe(broken.kind)} ({said})"
    if broken.kind == "connect_failed":
        if unix is not None and not _exists(unix):
            return "there is no such socket; is the server running?"
        return said if said.startswith("the proxy") else f"the connection failed ({said})"
    tail = "" if target.address.tls or unix else "; does it want https?"
    if broken.kind == "bad_response":
        return f"the answer is not valid HTTP ({said.removeprefix('not HTTP: ')}){tail}"
    if target.address.tls and "certificate required" in said.lower():
        return _tls(said)
    # With TLS 1.3 a certificate is missed after the handshake only: an alert, an end or a reset, as it comes.
    if target.address.tls and target.address.cert_file is None and not broken.answered:
        tail = "; it may want a certificate of the client: --cert"
    return f"the server closed the connection without a complete answer{tail}"


def _tls(said: str) -> str:
    if said.startswith(NOT_VERIFIED):
        why = said.removeprefix(NOT_VERIFIED).strip(" :.")
        cure = next((cure for word, cure in _CURES.items() if word in why.lower()), None)
        return f"its certificate cannot be verified ({why}): {cure or 'use --ca FILE or --insecure'}"
    why = said.removeprefix("TLS: ").lower().replace("_", " ")
    hint = "; is it http://?" if "wrong version" in why or "record layer" in why else ""
    if any(words in why for words in _WANTS_CERTIFICATE):
        hint = "; it may want a certificate of the client: --cert"
    return f"the TLS handshake failed ({why}){hint}"


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return True


def _is_socket(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except OSError:
        return True

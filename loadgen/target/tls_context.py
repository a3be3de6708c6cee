"""The TLS settings of every connection, hot or not: verified by default, one place to see it."""

from __future__ import annotations

import os
import ssl
from typing import NoReturn

from loadgen.errors import printable
from loadgen.worker_config import Address


class CertificateError(Exception):
    """A file that TLS needs beside the CAs cannot be used: a line that names the option or the variable."""


def context(ca_file: str | None, insecure: bool) -> ssl.SSLContext:
    """A client context for HTTP/1.1. `insecure` turns verification off, and is shown to the user.

    Raises:
        OSError: `ca_file` cannot be read; ssl.SSLError (an OSError) when it holds no certificate.
        CertificateError: the file that SSLKEYLOGFILE names cannot be written.
    """
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        if error.filename is None or error.filename != os.environ.get("SSLKEYLOGFILE"):
            raise
        where = f"SSLKEYLOGFILE={printable(error.filename, 200)}"
        raise CertificateError(f"{where}: {error.strerror}; need a file that can be written") from None
    if ca_file is None:
        import certifi

        made.load_verify_locations(certifi.where())
    if insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    return made


def context_of(address: Address) -> ssl.SSLContext:
    """As `context`, with the certificate that `address` shows of the client itself.

    Raises:
        OSError: as `context`.
        CertificateError: there is one, and it cannot be used.
    """
    made = context(address.ca_file, address.insecure)
    if address.cert_file is not None:
        # Without a password OpenSSL would ask for it, on whatever terminal there is.
        try:
            made.load_cert_chain(address.cert_file, address.cert_key_file, _no_password)
        except _Locked:
            raise CertificateError(f"{_where(address)}: the key has a password; need one without") from None
        except ssl.SSLError:
            raise CertificateError(
                f"{_where(address)}: need a certificate and the key that belongs to it, in PEM form"
            ) from None
        except OSError as error:
            raise CertificateError(f"{_where(address)}: {error.strerror}") from None
    return made


class _Locked(Exception):
    pass


def _no_password() -> NoReturn:
    raise _Locked


def _where(address: Address) -> str:
    key = "" if address.cert_key_file is None else f" --cert-key {printable(address.cert_key_file)}"
    return f"--cert {printable(address.cert_file or '')}{key}"

"""The TLS settings of every connection, hot or not: verified by default, one place to see it."""

from __future__ import annotations

import ssl


def context(ca_file: str | None, insecure: bool) -> ssl.SSLContext:
    """A client context for HTTP/1.1. `insecure` turns verification off, and is shown to the user.

    Raises:
        OSError: `ca_file` cannot be read; ssl.SSLError (an OSError) when it holds no certificate.
    """
    made = ssl.create_default_context(cafile=ca_file)
    if ca_file is None:
        import certifi

        made.load_verify_locations(certifi.where())
    if insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    return made

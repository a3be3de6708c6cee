"""The client's side of TLS between plain bytes and those of a socket, as sans-IO.

The socket stays ours, so its reads keep the kernel's times.
"""

from __future__ import annotations

import ssl

_RECORD_BYTES = 65536

NOT_VERIFIED = "the certificate cannot be verified"
"""So begins what is said of one."""


class TlsFailed(Exception):
    """The handshake failed or the stream is damaged. The text says why."""


class TlsLayer:
    """`take` what the socket gives, `shake` until that is done, then `read` and `write`; after each of them
    the socket is given what is `outgoing`."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name or None)
        self.shaking = True
        """The handshake is not done yet."""
        self.ended = False
        """The server has said that nothing more comes, which a cut does not."""

    def outgoing(self) -> bytes:
        """What is to be sent now; may be nothing."""
        return self._outgoing.read()

    def shake(self) -> None:
        """Takes the handshake as far as it goes now.

        Raises:
            TlsFailed: the server is not trusted, or speaks no TLS that we do.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(f"{NOT_VERIFIED}: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise TlsFailed(error.reason or str(error)) from None
        self.shaking = False

    def take(self, data: bytes) -> None:
        """Keeps what the socket gave, for `shake` or `read`."""
        self._incoming.write(data)

    def read(self) -> bytes:
        """The plain bytes of all that was taken; may be none yet.

        Raises:
            TlsFailed: it was tampered with, or is no TLS.
        """
        plain: list[bytes] = []
        try:
            while piece := self._tls.read(_RECORD_BYTES):
                plain.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise TlsFailed(f"TLS: {error.reason or error}") from None
        return b"".join(plain)

    def write(self, plain: bytes) -> None:
        self._tls.write(plain)

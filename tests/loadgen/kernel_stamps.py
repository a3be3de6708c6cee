"""The kernel's receive times, seen to be on: what asks for the first of them may get none for a while."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from loadgen.transport.receive_times import ANCILLARY_BYTES, ask_for_stamps, stamp_in

_DEADLINE_S = 20.0


@contextmanager
def stamping() -> Iterator[None]:
    """In the block the kernel stamps what comes in over loopback, where it can at all.

    Linux begins to stamp when the first socket of the machine asks for it, by a worker of its own, so that the
    first packets of a test may bear no stamp; and it stops when the last such socket is closed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    with far, near:
        if ask_for_stamps(near):
            near.settimeout(_DEADLINE_S)
            until_s = time.monotonic() + _DEADLINE_S
            stamped = False
            while not stamped:
                assert time.monotonic() < until_s, f"the kernel stamped nothing for {_DEADLINE_S:g} s"
                far.send(b"x")
                stamped = bool(stamp_in(near.recvmsg(1, ANCILLARY_BYTES)[1]))
        yield

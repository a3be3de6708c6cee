"""What to do about what the system refused: added where an error ends with its words."""

from __future__ import annotations

import errno
import os
import re

from tui.options.exit_codes import one_line

_STEPS = {
    "need a path that exists": (errno.ENOENT,),
    "need another path": (errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG),
    "need a file": (errno.EISDIR,),
    # Of a path, a port or an address.
    "need a right to it, or another one": (errno.EACCES, errno.EPERM),
    "need another one": (errno.EINVAL,),
    "need a place that can be written": (errno.EROFS, errno.EBUSY, errno.ETXTBSY),
    "need more room there, or another place": (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "need a disk that can be read and written (see dmesg)": (
        errno.EIO,
        errno.ESTALE,
        errno.ENODEV,
        errno.ENXIO,
    ),
    "need another port, or an end of what listens there": (errno.EADDRINUSE,),
    "need an address of this machine": (errno.EADDRNOTAVAIL,),
    "need one that can be written": (errno.EBADF,),
    "need more file descriptors (ulimit -n)": (errno.EMFILE, errno.ENFILE),
    "need more memory or processes (ulimit -a)": (errno.ENOMEM, errno.EAGAIN),
}
_BY_WORDS = {os.strerror(number): step for step, numbers in _STEPS.items() for number in numbers}
_BY_WORDS |= {
    "no regular file": "need a file",
    "neither a file nor a pipe": "need one",
    "no path": "need one",
    # What getaddrinfo(3) says.
    "Name or service not known": "need a name or an address that is known here",
    "Temporary failure in name resolution": "need an address, or a name server that answers",
}
_BY_PATTERN = {
    re.compile(r"larger than \d+ [KMG]iB\Z"): "need a smaller one",
    re.compile(r"through the pipe in \S+ s\Z"): "need one that ends",
}
_TWO_LINES, _LONG_WORD = 240, 160
_NO_TEMPORARY = re.compile(r"No usable temporary directory found in \[.*\]")
"""What Python says where neither TMPDIR nor /tmp nor the working directory can be written."""


def is_of_temporary_files(error: OSError) -> bool:
    return _NO_TEMPORARY.search(error.strerror or "") is not None


def in_two_lines(text: str) -> str:
    """`text` as one line: two of a terminal, where words such as a path of hundreds of characters are all
    that makes it longer. They are left out in their middle, so that what stands behind them is read."""
    words = text.split()
    while len(" ".join(words)) > _TWO_LINES and len(longest := max(words, key=len)) > _LONG_WORD:
        words[words.index(longest)] = f"{longest[:40]}…{longest[-30:]}"
    return one_line(" ".join(words))


def with_next_step(text: str) -> str:
    """`text`; where it says no more than what the system said, what to do about that as well."""
    text = _NO_TEMPORARY.sub("no directory takes temporary files; need one, named by TMPDIR", text)
    for words, step in _BY_WORDS.items():
        if text.endswith((words, f"{words})")):
            return f"{text}; {step}"
    for pattern, step in _BY_PATTERN.items():
        if pattern.search(text):
            return f"{text}; {step}"
    return text

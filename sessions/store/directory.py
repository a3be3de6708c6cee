"""Where sessions live and how they are named. A session is a directory with a `session.toml`."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from datetime import datetime
from pathlib import Path

from sessions.store.manifest import FILE, Manifest, SessionError, read
from sessions.user_directory import user_directory

LOCK_FILE = "lock"
LOG_FILE = "host.log"
PACK_SUFFIX = ".ttftop"
"""Ends the name of a session that is one file (`sessions.store.pack`)."""
_ID = re.compile(r"\d{8}-\d{6}-.")
_NAME_CAP = 60
_LOCK_TRIES = 20
_LOCK_RETRY_S = 0.01


def default_root() -> Path | None:
    """The directory that holds a user's sessions unless told otherwise; None where no home is known."""
    place = user_directory("data")
    return None if place is None else place / "sessions"


def create(root: Path, name: str, now: datetime) -> Path:
    """Makes the directory of a new session, mode 0700: `YYYYMMDD-HHMMSS-name`, with `-2` when it is taken.

    Characters of `name` other than `[A-Za-z0-9._-]` become `-`.

    Raises:
        SessionError: the directory cannot be made.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:_NAME_CAP] or "run"
    stem = f"{now:%Y%m%d-%H%M%S}-{plain}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, 1000):
            directory = root / (stem if number == 1 else f"{stem}-{number}")
            try:
                directory.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return directory
    except OSError as error:
        raise SessionError(f"{error.filename or root}: {error.strerror}") from None
    raise SessionError(f"{root}: a thousand sessions named {stem}; give another name")


def make_again(directory: Path) -> None:
    """Makes a session's directory, and what is missing on the way there, for its owner alone.

    Raises:
        OSError: it cannot be made.
    """
    for part in (*reversed(directory.parents), directory):
        if not part.is_dir():
            part.mkdir(mode=0o700, exist_ok=True)


def refuge(directory: Path) -> Path:
    """Where the files of a session are saved whose own directory is gone and cannot be made again.

    Raises:
        OSError: nowhere can a temporary file be.
    """
    import tempfile  # for the rare case alone

    return Path(tempfile.gettempdir()) / f"ttftop-recovered-{os.getuid()}" / directory.name


def make_refuge(directory: Path) -> Path:
    """Makes it, and sees that it is ours alone.

    Raises:
        OSError: it cannot be made, or is somebody else's.
    """
    place = refuge(directory)
    return own_place(place.parent.name, place.name)


def own_place(*parts: str) -> Path:
    """A directory below the one for temporary files, made if it is not there; ours alone, and so is
    each on the way.

    Raises:
        OSError: it cannot be made, or is somebody else's.
    """
    import tempfile  # for the rare case alone

    place = Path(tempfile.gettempdir())
    for name in parts:
        place = part = place / name
        with contextlib.suppress(FileExistsError):
            part.mkdir(mode=0o700)
        if not _is_mine_alone(part):
            raise PermissionError(errno.EPERM, "not ours alone", str(part))
    return place


def _is_mine_alone(directory: Path) -> bool:
    try:
        about = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077


def place_of(directory: Path) -> Path:
    """Where a session is that was recorded in `directory`: there, or where it was saved instead."""
    try:
        other = refuge(directory)
    except OSError:  # a root that is only to be read, or disks that are all full
        return directory
    saved = _is_mine_alone(other.parent) and _is_mine_alone(other) and os.path.lexists(other / FILE)
    return other if saved else directory


def listing(root: Path) -> list[Path]:
    """The sessions under `root`, newest first; [] when there is no such directory.

    One that may not be looked into is among them, so that it can be told, if it is named as a session is.

    Raises:
        SessionError: the directory is there and cannot be listed.
    """
    try:
        entries = [Path(entry.path) for entry in os.scandir(root)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SessionError(f"{root}: {error.strerror}") from None
    found = [path for path in entries if is_session(path)]
    return sorted(found, key=lambda path: (path.name[:15], _changed(path)), reverse=True)


def is_session(path: Path) -> bool:
    """Whether it has the place of a manifest, or its own name is a session's: it need not be readable."""
    try:
        kind = (path / FILE).lstat().st_mode
        return stat.S_ISREG(kind) or stat.S_ISLNK(kind)  # a link is not followed, but told
    except PermissionError:
        return _ID.match(path.name) is not None
    except OSError:
        return False


def is_named_as_session(path: Path) -> bool:
    """Whether it is called as sessions are when they are made."""
    return _ID.match(path.name) is not None


def _changed(directory: Path) -> int:
    try:
        return directory.stat().st_ctime_ns
    except OSError:
        return 0


def find(root: Path, text: str) -> Path:
    """The session that a person means: a path (also of a packed one), an id, the start of one, a name; `last`
    is the newest.

    Several sessions of exactly that name: the newest.

    Raises:
        SessionError: none, or more than one fits.
    """
    if not text:  # a variable of a script that was never set, and whoever removes by it means no session
        raise SessionError("got an empty word, need an id, the start of one, a name, a path, or last")
    if os.sep in text or text in (".", ".."):
        try:
            path = Path(text).expanduser()
        except RuntimeError:
            raise SessionError(
                f"{text}: nobody's home directory is known by that name; give its path"
            ) from None
        path = path.parent if path.name == FILE else path
        # What is done to a session is told by its name, which `.` is none of.
        return path if path.name not in ("", "..") else path.resolve()
    if text.endswith(PACK_SUFFIX) and Path(text).is_file():
        return Path(text)
    sessions = listing(root)
    if text == "last":
        mine = [path for path in sessions if os.access(path, os.R_OK | os.X_OK)]
        if not sessions:
            raise SessionError(f"{root}: no sessions yet; ttftop run and ttftop demo make some")
        return mine[0] if mine else sessions[0]
    for fits in (
        [path for path in sessions if path.name == text],
        [path for path in sessions if path.name[16:] == text or _name(path) == text][:1],
        [path for path in sessions if path.name.startswith(text)],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            some = ", ".join(path.name for path in fits[:3])
            raise SessionError(
                f"{text}: {len(fits)} sessions begin so ({some}{', ...' if len(fits) > 3 else ''}); "
                "give more of it"
            )
    if is_session(Path(text)):
        return Path(text)
    raise SessionError(f"{text}: no session of that id, name or path in {root}; ttftop sessions lists them")


def _name(directory: Path) -> str | None:
    try:
        manifest: Manifest = read(directory)
    except SessionError:
        return None
    return manifest.session.name


def hold_lock(directory: Path) -> int:
    """Marks the session as live for as long as this process lives: the descriptor that holds the lock.

    Raises:
        SessionError: another process holds it, or the file cannot be made.
    """
    path = directory / LOCK_FILE
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SessionError(f"{path}: {error.strerror}") from None
    flocked = True
    try:
        _lock(fd)
    except BlockingIOError:
        os.close(fd)
        raise SessionError(
            f"{directory}: another ttftop is recording this session; ttftop attach shows it"
        ) from None
    except OSError:  # a file system without locks (Lustre without -o flock, some FUSE)
        flocked = False  # the owner's number stands in
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {_started(os.getpid())}\n".encode(), 0)
    except OSError as error:
        if not flocked:  # then nothing would tell that the run is live
            os.close(fd)
            raise SessionError(f"{path}: {error.strerror}") from None
    return fd


def _lock(fd: int) -> None:
    """Takes the lock that nobody else may hold; who asks whether it is held has it for a moment as well."""
    for left in range(_LOCK_TRIES - 1, -1, -1):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_LOCK_RETRY_S)


def is_live(directory: Path) -> bool:
    """Whether a supervisor holds the session's lock right now: the run goes on."""
    try:
        fd = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Shared, so that two readers asking at once do not take each other for the supervisor.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no locks on this file system
        owner, _, started = os.pread(fd, 64, 0).decode("ascii", "replace").strip().partition(" ")
        return owner.isdigit() and bool(started) and _started(int(owner)) == started
    finally:
        os.close(fd)
    return False


def is_running(pid: int) -> bool:
    """Whether this machine has a process of that number."""
    return pid > 0 and _started(pid) != ""


def _started(pid: int) -> str:
    """When a process of this machine began, in ticks (proc_pid_stat(5), field 22); empty if none is there, or
    no /proc."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""

"""A session as one file to send: a plain tar, whose members are compressed already.

What is opened may come from a stranger: only regular files of names that a session has are taken out of it,
none that leads elsewhere, into a directory of our own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

from sessions.store.directory import PACK_SUFFIX, own_place
from sessions.store.follow import FILES_CAP
from sessions.store.manifest import FILE, SessionError
from sessions.store.notes import notes_path
from sessions.store.raw_file import FILE_CAP_BYTES

_MEMBER = re.compile(
    r"(session\.toml|host\.(jsonl|log)|notes\.jsonl"
    r"|(telemetry(-[A-Za-z0-9._-]{1,100})?|worker-\d{1,6}|requests-\d{1,6})\.jsonl\.gz)"
)
"""The files that say something; not the lock, a socket, or what a debug log told."""
_NOTES = "notes.jsonl"
"""The marks that were set in replays, which stand beside a session."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
"""A session's directory in a pack; of another name, what of it is like this goes in."""
_NEED = "need a file of ttftop sessions pack"


def pack(directory: Path, file: Path) -> int:
    """Writes `file`, for its owner alone, and returns its bytes.

    Raises:
        SessionError: there is such a file already, the session has too many, or one cannot be read or
            written.
    """
    folder = re.sub(r"[^A-Za-z0-9._-]+", "-", directory.name).lstrip("._-")[:100] or "session"
    try:
        files = [path for path in sorted(directory.iterdir()) if _goes_along(path)]
        if len(files) >= FILES_CAP:
            many = f"{directory.name}: {len(files):,} files"
            raise SessionError(f"{many}, a pack holds fewer than {FILES_CAP:,}; send its directory")
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with open(fd, "wb") as out, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for path in files:
                    _add(tar, path, f"{folder}/{path.name}")
                notes = notes_path(directory)
                if notes.is_file() and not notes.is_symlink() and not notes.parent.is_symlink():
                    _add(tar, notes, f"{folder}/{_NOTES}")
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return file.stat().st_size
    except FileExistsError:
        raise SessionError(f"{file}: is there already; give another name with -o") from None
    except OSError as error:
        raise SessionError(f"{error.filename or file}: {error.strerror}") from None


def _goes_along(path: Path) -> bool:
    own = _MEMBER.fullmatch(path.name) is not None and path.name != _NOTES
    return own and path.is_file() and not path.is_symlink()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Nothing of this machine's users goes along: neither names nor numbers."""
    with path.open("rb") as source:
        about = tarfile.TarInfo(name)
        about.size, about.mode = os.fstat(source.fileno()).st_size, 0o600
        about.mtime = int(os.fstat(source.fileno()).st_mtime)
        tar.addfile(about, source)


def is_pack(path: Path) -> bool:
    """Whether a person names a packed session: a file that is no manifest."""
    return path.suffix == PACK_SUFFIX and path.is_file()


def unpacked(file: Path) -> Path:
    """The directory of the session in `file`: what an earlier call made of the same file, or a new one.

    Raises:
        SessionError: it is no packed session, or holds what none does.
    """
    try:
        about = file.stat()
        said = f"{file.resolve()} {about.st_dev} {about.st_ino} {about.st_size} {about.st_mtime_ns}"
        place = own_place(f"ttftop-packed-{os.getuid()}", hashlib.sha256(said.encode()).hexdigest()[:24])
        done = [path for path in place.iterdir() if not path.name.startswith(".") and (path / FILE).is_file()]
        return done[0] if done else _take_out(file, place)
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        why = getattr(error, "strerror", None) or f"no packed session, or a damaged one; {_NEED}"
        raise SessionError(f"{file}: {why}") from None


def _take_out(file: Path, place: Path) -> Path:
    """Raises:
    SessionError, OSError, TarError: see `unpacked`.
    """
    fresh = Path(tempfile.mkdtemp(prefix=".", dir=place))
    try:
        with tarfile.open(file, "r:") as tar:
            session = ""
            for number, member in enumerate(tar):
                folder, _, name = member.name.partition("/")
                # Of a sparse one a few bytes come to gigabytes of nothing.
                plain = member.isreg() and not member.issparse()
                strange = not (plain and _ID.fullmatch(folder) and _MEMBER.fullmatch(name))
                if strange or folder != (session or folder) or number >= FILES_CAP:
                    raise SessionError(f"{file}: holds what no session does ({member.name!r:.60}); {_NEED}")
                session = folder
                source = tar.extractfile(member)
                if source is None or member.size > FILE_CAP_BYTES:
                    raise SessionError(f"{file}: {name} is too long; {_NEED}")
                fd = os.open(fresh / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with open(fd, "wb") as out:
                    shutil.copyfileobj(source, out)
        if not (fresh / FILE).is_file():
            raise SessionError(f"{file}: there is no {FILE} in it; {_NEED}")
        with contextlib.suppress(OSError):  # there are none; or another process was quicker
            notes = notes_path(place / session)
            notes.parent.mkdir(mode=0o700, exist_ok=True)
            os.link(fresh / _NOTES, notes)
        (fresh / _NOTES).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another process was quicker
            fresh.rename(place / session)
        return place / session
    finally:
        shutil.rmtree(fresh, ignore_errors=True)

"""Where a user's own files belong on this system, if it has a place for them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def user_directory(kind: Literal["data", "config", "state"]) -> Path | None:
    """ttftop's directory for files of this kind (XDG base directories); it need not be there yet.

    None where no home directory is known: a container that runs as a bare user id, without HOME.
    """
    import platformdirs

    of_kind = {
        "data": platformdirs.user_data_dir,
        "config": platformdirs.user_config_dir,
        "state": platformdirs.user_state_dir,
    }
    try:
        directory = Path(of_kind[kind]("ttftop", appauthor=False))
    except RuntimeError:
        return None
    # Older platformdirs leave a `~` that stands for nothing: it would lie in the working directory.
    return directory if directory.is_absolute() else None

"""A package that is not there: one line that names it and says how it comes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable

from tui.options.exit_codes import CommandError

OF_A_RUN = ("msgspec", "tomli", "tomli_w", "httptools", "numpy")
"""What the processes of every run import, and this one need not have yet when it starts them."""
OF_A_SCREEN = ("textual", "rich")
_OURS = ("loadgen", "sessions", "telemetry", "tui")
_CALLED = {
    "pynvml": "nvidia-ml-py",
    "tomli_w": "tomli-w",
    "prometheus_client": "prometheus-client",
    "resvg_py": "resvg-py",
}
"""Where a package's name is not its module's."""


def need(modules: Iterable[str], instead: str = "") -> None:
    """Raises:
    CommandError: one of `modules` is not there; `instead`: what can be done without it.
    """
    for module in modules:
        if not is_there(module):
            raise _missing(module, instead)


def is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # it is imported, by somebody who made it up
        return True


def missing(error: ModuleNotFoundError) -> CommandError | None:
    """What to say of `error`; None where it is not about a package, but a bug of ours."""
    module = (error.name or "").partition(".")[0]
    if not module or module in _OURS or module in sys.stdlib_module_names:
        return None
    return _missing(module)


def _missing(module: str, instead: str = "") -> CommandError:
    package = _CALLED.get(module, module)
    return CommandError(
        f"the package {package} is missing in this Python: {sys.executable} -m pip install {package}{instead}"
    )

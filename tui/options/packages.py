"""A package that is not there, or does not load: one line that names it and says how it comes."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from tui.options.exit_codes import NOT_VALID, CommandError

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


def not_loaded(error: ImportError) -> CommandError | None:
    """What to say of a package whose extension module the system does not load; None where it is another
    error. A package may tell of it in words of its own: what it began with is the cause."""
    first: BaseException = error
    while (before := first.__cause__ or first.__context__) is not None:
        first = before
    if not (isinstance(first, ImportError) and str(first.path).endswith(tuple(EXTENSION_SUFFIXES))):
        return None
    package = _package_of(Path(str(first.path)))
    why = f"the package {package} does not load: {first}"
    if re.search("failed to map|annot allocate|not enough memory", str(first)):
        return CommandError(f"{why}; need more memory (ulimit -a, free)", NOT_VALID)
    return CommandError(f"{why}; need it anew: {sys.executable} -m pip install --force-reinstall {package}")


def _package_of(module: Path) -> str:
    around = [place for place in filter(None, sys.path) if module.is_relative_to(place)]
    name = module.relative_to(max(around, key=len, default=module.parent)).parts[0].partition(".")[0]
    return _CALLED.get(name, name)


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

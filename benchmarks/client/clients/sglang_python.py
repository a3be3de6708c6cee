"""`python -m sglang.benchmark.serving` without torchvision, which it imports for nothing.

torchvision has no wheel that fits a torch for CPUs alone, and no text benchmark uses it: a module without
content stands in for it, after transformers has seen that there is none.
"""

from __future__ import annotations

import runpy
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Nothing(ModuleType):
    """A module in which every name is a class without content."""

    __path__: list[str] = []  # noqa: RUF012  # a package must have one of its own

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Absent(MetaPathFinder, Loader):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return (
            ModuleSpec(fullname, self, is_package=True) if fullname.split(".")[0] == "torchvision" else None
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Nothing(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return None


def main() -> None:
    from transformers.utils import import_utils

    import_utils.is_torchvision_available()  # its answer is kept: no
    import_utils.is_torchvision_v2_available()
    sys.meta_path.insert(0, Absent())
    sys.argv[0] = "sglang.benchmark.serving"
    runpy.run_module("sglang.benchmark.serving", run_name="__main__")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Prints the oldest versions that pyproject.toml allows, as constraints for pip.

scripts/lowest_versions.py > constraints.txt && pip install --constraint constraints.txt --editable '.[dev]'

Only of what the program itself needs: what its checks need is no promise to anybody.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lowest(dependencies: list[str]) -> list[str]:
    """`name==oldest` of requirements that begin with `name>=oldest`.

    Raises:
        ValueError: a requirement has no lower bound.
    """
    out = []
    for requirement in dependencies:
        found = re.match(r"([A-Za-z0-9._-]+)>=([0-9.]+)", requirement)
        if found is None:
            raise ValueError(f"no lower bound: {requirement}")
        marker = requirement.partition(";")[2]
        out.append(f"{found[1]}=={found[2]}" + (f";{marker}" if marker else ""))
    return out


if __name__ == "__main__":
    # Runs before anything is installed, where Python 3.10 reads no TOML: the list stands in lines of its own.
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text.partition("\ndependencies = [\n")[2].partition("\n]")[0]
    print("\n".join(lowest(re.findall(r'^  "([^"]+)"', block, flags=re.MULTILINE))))

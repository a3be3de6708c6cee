#!/usr/bin/env python3
"""Writes docs/licences.md: what ttftop needs to run, and under which licence each of it stands.

    .venv/bin/python scripts/licences.py

From the metadata of what is installed here, the dependencies of dependencies included. A licence that is none
of `ALLOWED` is an error: somebody has to read it first.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).resolve().parents[1] / "docs" / "licences.md"

ALLOWED = {
    "MIT": r"MIT( License)?",
    "BSD-2-Clause": r"BSD-2-Clause",
    "BSD-3-Clause": r"BSD-3-Clause|BSD License|BSD",
    "Apache-2.0": r"Apache-2\.0|Apache Software License( 2\.0)?|Apache License.*",
    "Apache-2.0 AND BSD-2-Clause": r"Apache-2\.0 AND BSD-2-Clause",
    "MIT OR Apache-2.0": r"MIT OR Apache-2\.0|MIT License, Apache Software License|(MIT|Apache).*dual.*",
    "PSF-2.0": r"PSF-2\.0|Python Software Foundation License",
    "MPL-2.0": r"MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)",
    "BSD-3-Clause AND others": r"BSD-3-Clause AND .*",
}
"""What it is called here, and how metadata write it. MPL-2.0: certifi's authorities, used unchanged."""


def needed(root: str = "ttftop") -> dict[str, Distribution]:
    """What `root` needs to run on this Python, `root` itself left out, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting = [(Requirement(line), {""}) for line in distribution(root).requires or ()]
    while waiting:
        wanted, extras = waiting.pop()
        if wanted.marker is not None and not any(wanted.marker.evaluate({"extra": e}) for e in extras):
            continue
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name not in found or wanted.extras:
            found[name] = distribution(wanted.name)
            asked = {"", *wanted.extras}
            waiting += [(Requirement(line), asked) for line in found[name].requires or ()]
    return dict(sorted(found.items()))


def licence(of: Distribution) -> str:
    """The key of `ALLOWED` that it states.

    Raises:
        ValueError: it states none of them.
    """
    meta = of.metadata

    def stated(field: str) -> str:
        return str((meta.get_all(field) or [""])[0])

    classified = ", ".join(
        line.rpartition(" :: ")[2] for line in meta.get_all("Classifier") or () if "License ::" in line
    )
    said = [stated("License-Expression"), classified, stated("License").split("\n")[0]]
    for words in said:
        for name, form in ALLOWED.items():
            if words and re.fullmatch(form, words.strip()):
                return name
    raise ValueError(
        f"{meta['Name']}: licence {[words for words in said if words]}, allowed are {list(ALLOWED)}"
    )


def main() -> None:
    begin, end = "<!-- written by scripts/licences.py -->\n", "<!-- to here -->\n"
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    known = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", rest.partition(end)[0], re.MULTILINE))
    # Those that another Python needs stand there from a run under that one.
    known |= {name: licence(one) for name, one in needed().items()}
    table = "".join(f"| `{name}` | {known[name]} |\n" for name in sorted(known))
    after = rest.partition(end)[2]
    PAGE.write_text(
        f"{before}{begin}| package | licence |\n| --- | --- |\n{table}{end}{after}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()

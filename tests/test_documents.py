"""What the pages point at is there: links, pictures, headings, files and folders named in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("loadgen", "telemetry", "sessions", "tui")
PLACES = (*ROOMS, "tests", "docs", "benchmarks", "scripts", "examples")

INDEX = ROOT / "docs" / "README.md"
ARCHITECTURE = ROOT / "docs" / "design" / "architecture.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """File and heading of every relative link and picture of a page; an empty heading where none is named."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            file, _, heading = target.partition("#")
            yield (page.parent / file).resolve() if file else page, heading


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


def shown(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_every_link_and_picture_leads_to_a_file() -> None:
    assert [f"{shown(page)}: {file}" for page in PAGES for file, _ in links(page) if not file.exists()] == []


def test_every_link_to_a_heading_finds_it() -> None:
    lost = [
        f"{shown(page)}: {shown(file)}#{heading}"
        for page in PAGES
        for file, heading in links(page)
        if heading and file.suffix == ".md" and heading not in headings(file)
    ]
    assert lost == []


def test_every_page_stands_in_the_index() -> None:
    indexed = {file for file, _ in links(INDEX)}
    assert [shown(page) for page in PAGES if page not in indexed and page != INDEX] == []


def test_every_picture_stands_on_a_page() -> None:
    used = {file for page in PAGES for file, _ in links(page)}
    assert [shown(path) for path in sorted((ROOT / "docs").rglob("*.png")) if path not in used] == []


def named_paths(page: Path) -> set[str]:
    """The files and folders of this checkout that a page names in backticks."""
    quoted = re.findall(r"`([^`\s]+)`", prose(page))
    return {word for word in quoted if word.split("/")[0] in PLACES and "/" in word and "*" not in word}


def test_every_file_that_a_page_names_is_there() -> None:
    lost = [
        f"{shown(page)}: {path}" for page in PAGES for path in named_paths(page) if not (ROOT / path).exists()
    ]
    assert sorted(lost) == []


def test_the_architecture_has_a_row_for_each_folder_of_the_rooms() -> None:
    rows = re.findall(r"^\| `(\w[\w/]*)/` \|", ARCHITECTURE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    folders = {str(path.parent.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert sorted(rows) == sorted(folders)


def module_file(name: str) -> tuple[Path, list[str]]:
    """The file of the longest part of a dotted name that is a module, and what is left of the name."""
    words = name.split(".")
    for k in range(len(words), 0, -1):
        place = ROOT.joinpath(*words[:k])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.exists():
                return path, words[k:]
    return ROOT / name, words


def test_every_module_and_page_that_the_code_names_is_there() -> None:
    """Such as `loadgen.clock.Clock` in a docstring, or docs/README.md in an error's text."""
    lost = []
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(rf"`((?:{'|'.join(ROOMS)})(?:\.\w+)+)", text):
            file, rest = module_file(name)
            if not file.exists() or (
                rest and not re.search(rf"\b{rest[0]}\b", file.read_text(encoding="utf-8"))
            ):
                lost.append(f"{shown(path)}: {name}")
        for page in re.findall(r"\b(?:docs|examples|benchmarks|scripts)/[\w./-]+\.(?:md|py|sh)\b", text):
            if not (ROOT / page).exists():
                lost.append(f"{shown(path)}: {page}")
    assert lost == []

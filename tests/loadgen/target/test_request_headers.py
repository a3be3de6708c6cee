"""Headers that a person adds: which there are, and that no value of theirs is in a message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadgen.target.redaction import redactor_of, secrets_of
from loadgen.target.request_headers import HeaderError, parse_header, parse_headers, read_headers
from loadgen.target.url import headers, parse_target

CANARY = "sk-CANARY-7f3a"


@pytest.mark.parametrize(
    ("typed", "want"),
    [
        ("X-Tenant-Id: blue", ("x-tenant-id", "blue")),
        ("x:y", ("x", "y")),
        ("X-Empty:", ("x-empty", "")),
        ("Host: llama.example:81", ("host", "llama.example:81")),
        ("authorization: Basic YTpi", ("authorization", "Basic YTpi")),
        ("x-name:  é: ü ", ("x-name", "é: ü")),
    ],
)
def test_a_header_is_a_name_and_a_value(typed: str, want: tuple[str, str]) -> None:
    assert parse_header(typed) == want


BAD = {
    CANARY: "--header: need 'Name: value', or @FILE with one such line for each header",
    f"a b: {CANARY}": "--header: the name before the colon is none of a header, need 'Name: value'",
    f": {CANARY}": "--header: the name before the colon is none of a header, need 'Name: value'",
    f"x: {CANARY}\r\ny: z": "--header: x: its value cannot be sent, need up to 8192 characters of Latin-1",
    f"x: {CANARY}\u20ac": "--header: x: its value cannot be sent, need up to 8192 characters of Latin-1",
    "x: " + "a" * 9000: "--header: x: its value cannot be sent, need up to 8192 characters of Latin-1",
    "Content-Length: 5": "--header: content-length is set by ttftop itself, leave it out",
    "Accept-Encoding: gzip": "--header: accept-encoding is set by ttftop itself, leave it out",
    "Transfer-Encoding: chunked": "--header: transfer-encoding is set by ttftop itself, leave it out",
}


@pytest.mark.parametrize("typed", BAD)
def test_what_is_no_header_is_refused_without_its_value(typed: str) -> None:
    with pytest.raises(HeaderError) as caught:
        parse_header(typed)
    assert str(caught.value) == BAD[typed]


def test_lines_may_be_empty_or_remarks_and_a_bad_one_is_named_by_its_number() -> None:
    assert parse_headers("# mine\n\nx: 1\r\n y : 2\n", "F") == [("x", "1"), ("y", "2")]
    with pytest.raises(HeaderError, match=r"^F, line 2: need 'Name: value'"):
        parse_headers(f"x: 1\n{CANARY}\n", "F")


def test_headers_come_from_options_from_files_and_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text(f"x-key: {CANARY}\nx-two: 2\n", encoding="utf-8")
    file.chmod(0o600)
    found, notes = read_headers([f"@{file}", "x-b: 3"], {"TTFTOP_HEADERS": "x-two: old\nx-env: 4"})
    assert found == [("x-env", "4"), ("x-key", CANARY), ("x-two", "2"), ("x-b", "3")]
    assert notes == []
    file.chmod(0o644)
    _, notes = read_headers([f"@{file}", f"Authorization: Bearer {CANARY}"], {})
    assert len(notes) == 2
    assert "others can read it" in notes[0]
    assert notes[1].startswith("--header authorization: everyone on this machine can read the command line")
    assert CANARY not in "".join(notes)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match=r"^--header @/none: cannot read it: No such file"):
        read_headers(["@/none"], {})
    with pytest.raises(HeaderError) as caught:
        read_headers([f"@{CANARY}"], {})
    assert CANARY not in str(caught.value)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loadgen.small_file.PIPE_DEADLINE_S", 0.05)
        with pytest.raises(HeaderError, match="nothing came through the pipe"):
            read_headers([f"@{pipe}"], {})


def test_a_header_replaces_ours_of_the_same_name_and_may_come_twice() -> None:
    more = [("host", "llama.example"), ("accept", "*/*"), ("x-a", "1"), ("x-a", "2")]
    made = headers(parse_target("http://10.0.0.1:8000"), None, more=more)
    names = [name for name, _ in made]
    assert (names.count("host"), names.count("accept"), names.count("x-a")) == (1, 1, 2)
    assert dict(made)["host"] == "llama.example"


def test_values_that_are_long_enough_are_hidden_and_everyday_words_are_not() -> None:
    made = [("host", "h.example"), ("accept", "*/*"), ("x-tenant", "blue"), ("x-key", CANARY)]
    made.append(("authorization", "Basic abc"))
    assert secrets_of(made) == [CANARY, CANARY, "abc"]
    said = redactor_of(made).text(f"blue at h.example: bad {CANARY}, abc")
    assert said == "blue at h.example: bad ***, ***"

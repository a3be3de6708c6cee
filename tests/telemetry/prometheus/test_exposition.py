"""A page taken piece by piece reads as the whole does, and as the plain parser reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from telemetry.prometheus import exposition
from telemetry.prometheus.exposition import PageReader, TooMuch, parse

NAMES = ("a:running", "a:waiting", "b_total")
TEXTS = st.lists(
    st.sampled_from(
        [
            *(
                "a:running 1",
                'a:running{x="y"} 2',
                "a:waiting x",
                'b_total 3 # {t="1"} 2',
                "# HELP a:running x",
                "",
            ),
            *(
                "other{broken 1",
                "a:running_max 4",
                'a:waiting{x="é\u2028"} 5',
                "\ufeffa:running 6",
                "  b_total 7\r",
            ),
            *("long " + "x" * 500, '"', "a_running 8", "\x00\xff"),
        ]
    ),
    max_size=12,
)


def taken(data, cuts):
    reader = PageReader(NAMES)
    at = 0
    for cut in sorted({cut % (len(data) + 1) for cut in cuts}):
        reader.take(data[at:cut])
        at = cut
    reader.take(data[at:])
    return reader.page()


def plain(page):
    return [
        (s.name, dict(s.labels), None if s.value != s.value else s.value) for s in page.samples
    ], page.bad_lines


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=8), st.booleans())
def test_a_page_reads_the_same_however_it_is_cut(lines, cuts, as_json):
    text = "\n".join(lines)
    data = json.dumps(text).encode() if as_json else text.encode()
    assert plain(taken(data, cuts)) == plain(taken(data, []))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["a:running 1", 'a:waiting{x="y"} 2', "b_total 3", "other 4"]), max_size=9))
def test_a_page_without_fault_reads_as_the_plain_parser_reads_it(lines):
    text = "\n".join(lines) + "\n"
    wanted = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in NAMES
    ]
    assert plain(parse(text, NAMES)) == (wanted, [])


def test_lines_are_counted_over_those_that_are_dropped():
    assert parse("x 1\n" + "y" * 5000 + "\n\n# c\na:running no\n", NAMES).bad_lines == [5]


def test_a_wanted_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(exposition, "MOST_KEPT_BYTES", 1 << 20)
    with pytest.raises(TooMuch, match="a line of more than 1 MiB"):
        parse('a:running{x="' + "y" * 2_000_000, NAMES)


def test_a_json_string_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(exposition, "MOST_KEPT_BYTES", 1 << 20)
    with pytest.raises(TooMuch, match="more than 1 MiB"):
        parse('"' + "y" * 2_000_000, NAMES)


@pytest.mark.parametrize("text", ["", '"', '"\\ud800"', "[1]", '"a:running 1', '{"a:running": 1}', "null"])
def test_what_is_no_page_is_an_empty_one(text):
    assert plain(parse(text, NAMES)) == ([], [])

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.controls.prompt import Prompt, parsed_concurrency, parsed_rate
from tui.draw.rows import Field, cells_of, chosen, fitted, sliced, spread, width_of
from tui.draw.text import fit, fit_axis, fit_parts, fit_tail, masked, safe
from tui.draw.theme import charset_for

EVIL = "A\x1b[31mR\x1b]0;PWN\x07\x9b2J\x00\x1bPq\x1b\\\x1b[2J\r\u202e\x85\x7f [/ [bold [@click=app.quit]x[/]\ud800"
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@pytest.mark.parametrize(
    ("encoding", "environment", "charset"),
    [
        ("utf-8", {"LANG": "en_GB.UTF-8", "TERM": "xterm"}, "braille"),
        ("utf-8", {"LANG": "de_DE.utf8", "TERM": "tmux-256color"}, "braille"),
        ("utf-8", {"LC_ALL": "C", "LANG": "en_GB.UTF-8", "TERM": "xterm"}, "ascii"),
        ("utf-8", {"LC_CTYPE": "C.UTF-8", "LANG": "C", "TERM": "xterm"}, "ascii"),
        ("utf-8", {"LC_CTYPE": "C.UTF-8", "TERM": "xterm"}, "braille"),
        ("utf-8", {"LC_ALL": "POSIX", "TERM": "xterm"}, "ascii"),
        ("iso8859-1", {"LANG": "en_GB.UTF-8", "TERM": "xterm"}, "ascii"),
        ("utf-8", {"LANG": "en_GB.UTF-8", "TERM": "linux"}, "ascii"),
    ],
)
def test_braille_goes_only_where_locale_and_terminal_tell_of_utf8(encoding, environment, charset):
    assert charset_for(encoding, environment) == charset


def test_control_characters_are_written_out():
    assert safe("a\x1b[2Jb\u202ec\x9bd\ud800") == "a\\x1b[2Jb\\u202ec\\x9bd\\ud800"


def test_harmless_text_of_any_script_is_left_alone():
    assert safe("GPU 0: naïve 模型 ok [/bold]") == "GPU 0: naïve 模型 ok [/bold]"


def test_long_text_is_cut_and_shows_it():
    assert safe("abcdef", 4) == "abc…"
    assert safe("abcd", 4) == "abcd"


@given(st.text(st.characters(codec=None), max_size=60), st.integers(1, 80))
def test_nothing_a_terminal_obeys_survives(text, limit):
    for out in (safe(text, limit), masked(text)):
        assert not FORBIDDEN.search(out)
    assert len(safe(text, limit)) <= limit
    assert len(masked(text)) == len(text)


def test_the_evil_string_is_made_visible():
    assert not FORBIDDEN.search(safe(EVIL, 500))
    assert "\\x1b]0;PWN\\x07" in safe(EVIL, 500)


@given(st.text(max_size=20), st.integers(0, 30))
def test_fitted_text_fills_its_cells_exactly(text, width):
    text = safe(text)
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit_tail(text, width)) <= max(width, 0)


def test_rows_are_cut_and_padded_to_their_width():
    assert width_of(fitted([("abcdef", "x"), ("gh", "y")], 4)) == 4
    assert width_of(fitted([("ab", "x")], 4)) == 4
    assert spread([("ab", "")], [("yz", "")], 6) == [("ab", ""), ("  ", ""), ("yz", "")]


def test_a_slice_of_a_row_keeps_roles_and_width():
    row = [("abc", "x"), ("defg", "y"), ("h", "z")]
    assert sliced(row, 1, 5) == [("bc", "x"), ("de", "y")]
    assert width_of(sliced([("模型x", "")], 1, 5)) == 4


def test_fields_of_the_highest_rank_give_way_first():
    fields = [Field(0, ("first", "")), Field(2, ("third", "")), Field(1, ("second", ""))]
    assert chosen(fields, 13) == [("first", ""), ("  ", ""), ("second", "")]


@pytest.mark.parametrize(("text", "value"), [("12", 12.0), (" 0.5 ", 0.5), ("1e2", 100.0)])
def test_a_rate_is_read(text, value):
    assert parsed_rate(text) == value


@pytest.mark.parametrize("text", ["64,5", "", "-1", "0", "nan", "inf", "abc", "1\x1b[2J"])
def test_what_is_no_rate_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match="need a number above 0") as caught:
        parsed_rate(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1.5", "0", "-3", "x", "", "²"])
def test_what_is_no_concurrency_is_refused(text):
    with pytest.raises(ValueError, match="need a whole number"):
        parsed_concurrency(text)


def test_a_prompt_is_edited_where_the_cursor_is():
    prompt = Prompt("mark", "mark:").typed("abd").pressed("left").typed("c")
    assert prompt.text == "abcd"
    assert prompt.pressed("backspace").text == "abd"
    assert prompt.pressed("end").pressed("backspace").text == "abc"
    assert prompt.pressed("home").pressed("delete").text == "bcd"
    assert prompt.pressed("ctrl+u").text == "d"


def test_pasted_control_characters_never_get_into_a_prompt():
    assert not FORBIDDEN.search(Prompt("mark", "mark:").typed(EVIL + "\n").text)


def test_the_short_way_to_a_width_is_that_of_every_letter_by_itself():
    letters = "".join(map(chr, (*range(32, 0x3000), *range(0x1F300, 0x1F700))))
    assert [letter for letter in letters if cells_of(letter) != cell_len(letter)] == []
    assert cells_of("ab█⣿⚡模") == 8


def test_of_figures_in_commas_the_last_go_whole_and_none_is_cut_into_another():
    why = "100 % used, 1.2 preemptions/s, 406 waiting"
    assert fit_parts(why, 42) == why
    for width in range(29, 42):
        assert fit_parts(why, width) == "100 % used, 1.2 preemptions/s"
    assert fit_parts(why, 10) == "100 % used"
    assert fit_parts(why, 9) == fit(why, 9) == "100 % us…", "where not even one has room"
    unknown = "queue, KV cache and SM activity not known, 0 in flight"
    assert fit_parts(unknown, 40) == fit(unknown, 40), "words alone are no figures"


def test_a_label_of_an_axis_goes_without_its_unit_before_a_figure_does():
    assert [fit_axis("<100ms", width) for width in (7, 6, 5)] == ["<100ms", "<100ms", "<100"]
    assert fit_axis("500ms", 5) == "500ms"

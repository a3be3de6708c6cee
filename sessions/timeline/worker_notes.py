"""What a load worker wants known, as an event of the timeline."""

from __future__ import annotations

NOTE_KINDS = {
    "backing_off": "warning",
    "reachable_again": "note",
    "address_lost": "warning",
    "address_back": "note",
    "no_reuse": "note",
    "left_open": "note",
    "clock_stepped": "note",
    "host_lost": "error",
}
NOTE_WORDS = {
    "backing_off": "server unreachable",
    "reachable_again": "server answers again",
    "address_lost": "an address of the server is left aside",
    "address_back": "an address of the server answers again",
    "no_reuse": "connections not reused",
    "left_open": "whole answers whose streams stay open are ended",
    "clock_stepped": "the wall clock was set",
}

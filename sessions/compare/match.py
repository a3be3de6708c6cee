"""Which stretches of two sides belong together: those of one load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sessions.compare.stretch import Load, Stretch


class Group(NamedTuple):
    """One load of one side, with its repetitions."""

    name: str
    load: Load
    stretches: list[Stretch]


class Pair(NamedTuple):
    a: Group
    b: Group


class Matched(NamedTuple):
    pairs: list[Pair]
    only_a: list[Group]
    only_b: list[Group]


def grouped(sessions: Sequence[Sequence[Stretch]], lengths: bool = True) -> list[Group]:
    """The loads of a side in the order of its first session; repetitions are stages of a plan that repeats
    them, and the same load in further sessions."""
    groups: list[Group] = []
    for stretches in sessions:
        fresh: list[Group] = []
        for stretch in stretches:
            repeats = stretch.repetition is not None and stretch.repetition > 1
            same = [group for group in fresh if group.load.is_same(stretch.load)] if repeats else []
            if same:
                same[-1].stretches.append(stretch)
            else:
                name = stretch.name.rpartition(" #")[0] if stretch.repetition else stretch.name
                fresh.append(Group(name or stretch.name, stretch.load, [stretch]))
        at = matched(groups, fresh, lengths)
        for mine, further in at.pairs:
            mine.stretches.extend(further.stretches)
        groups += at.only_b
    return groups


def matched(a: Sequence[Group], b: Sequence[Group], lengths: bool = True) -> Matched:
    """Each group of `a` with the first of `b` that has its load and is not taken; its namesake before others.

    `lengths`: prompts and answers have to have been asked for in the same length.
    """
    left = list(b)
    pairs, only_a = [], []
    for group in a:
        fitting = [other for other in left if group.load.is_same(other.load, lengths)]
        if not fitting:
            only_a.append(group)
            continue
        other = next((each for each in fitting if each.name == group.name), fitting[0])
        left = [each for each in left if each is not other]
        pairs.append(Pair(group, other))
    return Matched(pairs, only_a, left)

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
    more: int = 0
    """1 where `b` was put under more load than `a`, -1 where under less, 0 under the same."""

    @property
    def sides(self) -> tuple[Group, Group]:
        return self.a, self.b


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
        for pair in at.pairs:
            pair.a.stretches.extend(pair.b.stretches)
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


def nearest(a: Sequence[Group], b: Sequence[Group]) -> list[Pair]:
    """Each group of `b` with the next lower and the next higher load of `a`, of the same kind and lengths:
    for where no load is common."""
    pairs = []
    for group in b:
        of_kind = [
            other
            for other in a
            if other.load._replace(value=0.0) == group.load._replace(value=0.0) and other.load.kind != "whole"
        ]
        lower = [other for other in of_kind if other.load.value < group.load.value]
        higher = [other for other in of_kind if other.load.value > group.load.value]
        if lower:
            pairs.append(Pair(max(lower, key=lambda each: each.load.value), group, 1))
        if higher:
            pairs.append(Pair(min(higher, key=lambda each: each.load.value), group, -1))
    return pairs

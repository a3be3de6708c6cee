"""What a driver really gave: of each field of a GPU sample, how often it was there, and from what to what.

python benchmarks/gpu_node_fields.py SESSION_DIRECTORY
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sessions.store.follow import SessionFollower
from telemetry.records import GpuSample, GpuSamples

NOT_FIGURES = ("gpu", "lost")


def polls(directory: Path) -> Iterator[GpuSamples]:
    files = SessionFollower(directory, requests=False)
    while True:
        yield from (record for record in files.poll() if isinstance(record, GpuSamples))
        if not files.behind:
            files.close()
            return


def described(found: Sequence[GpuSamples]) -> list[str]:
    """A line a source and field: how often it was there, of how many samples, and from what to what."""
    lines = []
    for source in sorted({poll.source for poll in found}):
        own = [poll for poll in found if poll.source == source]
        samples = [sample for poll in own for sample in poll.gpus]
        took_ms = sorted(poll.took_ns / 1e6 for poll in own)
        cpu_ms = sorted(poll.cpu_ns / 1e6 for poll in own if poll.cpu_ns is not None)
        middle = len(own) // 2
        lines.append(
            f"{source}: {len(own)} polls, {len(samples)} samples; a poll took {took_ms[middle]:.2f} ms at "
            f"the median, {took_ms[-1]:.2f} ms at most"
            + (f"; CPU {cpu_ms[len(cpu_ms) // 2]:.2f} ms at the median" if cpu_ms else "")
        )
        for name in GpuSample.__struct_fields__:
            if name not in NOT_FIGURES:
                values = [value for one in samples if (value := getattr(one, name)) is not None]
                share = f"{len(values)} of {len(samples)}"
                lines.append(f"  {name:<26}{share:>16}  {_range(values)}".rstrip())
    return lines


def _range(values: list[Any]) -> str:
    if not values:
        return "never"
    if isinstance(values[0], list):
        return (
            ", ".join(sorted({str(getattr(one, "name", one)) for value in values for one in value})) or "[]"
        )
    if isinstance(values[0], dict):
        names = sorted({name for value in values for name in value})
        return ", ".join(f"{n} up to {max(v.get(n, 0.0) for v in values):g}" for n in names)
    return f"{min(values):g} to {max(values):g}"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = list(polls(Path(sys.argv[1])))
    print("\n".join(described(found)) if found else "no GPU samples")
    return 0


if __name__ == "__main__":
    sys.exit(main())

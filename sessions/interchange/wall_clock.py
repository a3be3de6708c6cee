"""Unix time as others write it, mostly without a zone. No clock is read, nor this machine's zone."""

from __future__ import annotations

import re

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:\d\d)", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)$")


def offset_s(rfc3339: str) -> int:
    """How far the zone of a time is from UTC; 0 where it does not say."""
    found = _OFFSET.search(rfc3339)
    if found is None:
        return 0
    seconds = int(found[2]) * 3600 + int(found[3]) * 60
    return -seconds if found[1] == "-" else seconds


def iso(unix_s: float) -> str:
    """`2026-11-25T18:08:21.145648`."""
    days, rest = divmod(round(unix_s * 1e6), 86_400_000_000)
    days += 719_468  # from here on it is Howard Hinnant's civil_from_days
    era, of_era = divmod(days, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    place = (5 * of_year + 2) // 153
    month = place + 3 if place < 10 else place - 9
    year = year_of_era + era * 400 + (month <= 2)
    seconds, micros = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"
    return f"{year:04}-{month:02}-{of_year - (153 * place + 2) // 5 + 1:02}T{clock}"


def compact(unix_s: float) -> str:
    """`20261125-180821`."""
    return iso(unix_s)[:19].replace("-", "").replace(":", "").replace("T", "-")


def unix_ns(rfc3339: object) -> int | None:
    """Of a time with its zone; None of anything else."""
    found = _TIME.fullmatch(rfc3339) if isinstance(rfc3339, str) else None
    if found is None:
        return None
    year, month, day, hours, minutes = (int(part) for part in found.groups()[:5])
    year -= month <= 2  # Howard Hinnant's days_from_civil
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    days = year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719_468
    seconds = days * 86_400 + hours * 3600 + minutes * 60 - offset_s(found[7])
    return seconds * 1_000_000_000 + round(float(found[6]) * 1e9)

"""The servers that can be simulated, by name. Not one of their figures was measured by ttftop."""

from __future__ import annotations

from loadgen.simulator.invented_profiles import INVENTED
from loadgen.simulator.profile import Profile
from loadgen.simulator.roofline_profiles import ROOFLINE

PROFILES: dict[str, Profile] = {**INVENTED, **ROOFLINE}

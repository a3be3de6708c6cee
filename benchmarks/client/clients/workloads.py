"""What ttftop's own client asks for: plain requests, long ones, or all that a workload can be at once."""

from __future__ import annotations

from loadgen.workload.lengths import Fixed, parse_lengths
from loadgen.workload.prefixes import Prefixes
from loadgen.workload.spec import MixWorkload, PromptSpec, SyntheticWorkload, WeightedPart, WorkloadSpec

_IDS = PromptSpec(form="ids", tokens=8)
# No answer is shorter than the 200 tokens that the server sends at most: all clients count the same.
_CHAT = SyntheticWorkload(
    _IDS, parse_lengths("lognormal:200:150@1..2000"), parse_lengths("exponential:1000@200..5000")
)
_RAG = SyntheticWorkload(_IDS, parse_lengths("50..150"), Fixed(1000), prefix=Prefixes(32, 4, 512))

WORKLOADS: dict[str, WorkloadSpec] = {
    "plain": SyntheticWorkload(_IDS, Fixed(8), Fixed(1000)),
    # 0.7 * 200 + 0.3 * (512 + 100) tokens in
    "long": SyntheticWorkload(_IDS, Fixed(324), Fixed(1000)),
    "mixed": MixWorkload([WeightedPart("chat", 0.7, _CHAT), WeightedPart("rag", 0.3, _RAG)]),
}

"""Limits that others published, by name: `--slo mlperf:llama3.1-8b` stands for its targets.

MLPerf's are those of its server scenario (loadgen/mlperf.conf of mlcommons/inference, commit b66003e,
2026-08-20), held with 99 % confidence as its early stopping asks. Where rules text and mlperf.conf differ
(gpt-oss-120b-interactive: TPOT 20 and 15 ms) stands what its load generator checks. AIPerf's are those of its
search recipes.
"""

from __future__ import annotations

_MLPERF_MS = {
    "llama2-70b": (2000, 200),
    "llama2-70b-interactive": (450, 40),
    "llama3.1-8b": (2000, 100),
    "llama3.1-8b-interactive": (500, 30),
    "llama3.1-405b": (6000, 175),
    "llama3.1-405b-interactive": (4500, 80),
    "mixtral-8x7b": (2000, 200),
    "deepseek-r1": (2000, 80),
    "deepseek-r1-interactive": (1500, 15),
    "gpt-oss-120b": (3000, 80),
    "gpt-oss-120b-interactive": (2000, 15),
}
"""p99 of TTFT and of TPOT."""

NAMED_LIMITS = {
    **{
        f"mlperf:{name}": f"ttft.p99<{ttft}ms, tpot.p99<{tpot}ms, confidence=99%"
        for name, (ttft, tpot) in _MLPERF_MS.items()
    },
    "mlperf:qwen3-vl-235b": "e2e.p99<12s, confidence=99%",
    "aiperf:ttft": "ttft.p95<200ms",
    "aiperf:itl": "itl.p95<50ms",
    "aiperf:goodput": "ttft.p95<500ms, tpot.p95<15ms, e2e.p95<2s, attainment>95%",
}
"""Name to the list that could be typed in its place."""

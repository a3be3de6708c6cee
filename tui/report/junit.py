"""A run as JUnit XML, which CI systems show: a case a target, and one for whether the run is valid."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from loadgen.errors import printable
from tui.report.slo import shown, why

if TYPE_CHECKING:
    from sessions.summary.schema import Summary
    from sessions.summary.slo_schema import TargetResult


def junit(summary: Summary, *, strict: bool = False) -> str:
    """The whole file. A missed target is a failure, an undecided one is skipped (`strict`: a failure, too),
    not valid is an error."""
    cases = [_validity(summary)]
    if summary.plan is not None:
        for stage in summary.plan.stages:
            cases += [_case(f"stage {stage.number} {stage.name}", each, strict) for each in stage.targets]
    elif summary.slo is not None:
        cases += [_case("slo", each, strict) for each in summary.slo.targets]
    verdicts = [verdict for verdict, _ in cases]
    counted = {
        "tests": len(cases),
        "failures": verdicts.count("fail"),
        "errors": verdicts.count("error"),
        "skipped": verdicts.count("undecided"),
    }
    head = " ".join(f'{name}="{count}"' for name, count in counted.items())
    name = quoteattr(printable(summary.id, 200))
    body = "\n".join(text for _, text in cases)
    if summary.badges:
        badges = f'    <property name="badges" value={quoteattr(" ".join(summary.badges))}/>'
        body = f"  <properties>\n{badges}\n  </properties>\n{body}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuite name={name} {head} time="{summary.duration_s:.3f}">\n{body}\n</testsuite>\n'
    )


def _validity(summary: Summary) -> tuple[str, str]:
    if summary.valid:
        return "pass", '  <testcase classname="run" name="valid"/>'
    said = "; ".join(printable(reason, 500) for reason in summary.reasons) or "no reason was recorded"
    error = f"    <error message={quoteattr(said)}/>"
    return "error", f'  <testcase classname="run" name="valid">\n{error}\n  </testcase>'


def _case(of: str, result: TargetResult, strict: bool) -> tuple[str, str]:
    named = f"classname={quoteattr(printable(of, 200))} name={quoteattr(printable(result.target, 200))}"
    if result.verdict == "pass":
        return "pass", f"  <testcase {named}/>"
    said = quoteattr(f"{shown(result.target, result.figure)}: {why(result)}")
    verdict = "fail" if strict else result.verdict
    element = "skipped" if verdict == "undecided" else "failure"
    text = f">{escape(why(result))}</failure>" if element == "failure" else "/>"
    return verdict, f"  <testcase {named}>\n    <{element} message={said}{text}\n  </testcase>"

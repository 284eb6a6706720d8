"""How cases went: as text, as JSON, as JUnit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from plano_filters.cases.coverage import Coverage


@dataclass(frozen=True, slots=True)
class Result:
    """How one case went."""

    name: str
    failures: tuple[str, ...]
    """What was not as expected, a sentence each; empty if all was."""
    decisions: tuple[str, ...]
    """What the filters decided, for whoever wonders why."""
    seconds: float
    place: str = ""
    """File and line of the case."""

    @property
    def passed(self) -> bool:
        return not self.failures


def as_text(results: Sequence[Result], coverage: Coverage) -> str:
    """Write one line for each case, with the reasons of those that failed."""
    lines = []
    for result in results:
        lines.append(f"{'ok    ' if result.passed else 'FAILED'}  {result.name}")
        if not result.passed:
            lines += [f"        {text}" for text in result.failures]
            lines += [f"        | {text}" for text in result.decisions]
            lines += [f"        --> {result.place}"] if result.place else []
    failed = sum(not result.passed for result in results)
    lines += ["", f"{len(results) - failed} passed, {failed} failed", *coverage.lines()]
    return "\n".join(lines)


def as_dict(results: Sequence[Result], coverage: Coverage) -> dict[str, Any]:
    """Return JSON values."""
    rows = [
        {
            "name": result.name,
            "passed": result.passed,
            "failures": list(result.failures),
            "decisions": list(result.decisions),
            "seconds": round(result.seconds, 6),
            "place": result.place,
        }
        for result in results
    ]
    return {"cases": rows, "coverage": coverage.to_dict()}


def as_junit(results: Sequence[Result], suite: str) -> str:
    """Write the XML that CI systems show."""
    failed = sum(not result.passed for result in results)
    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(results)),
        failures=str(failed),
        errors="0",
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            root, "testcase", name=_clean(result.name), classname=suite,
            time=f"{result.seconds:.3f}",
        )  # fmt: skip
        if not result.passed:
            text = "\n".join([*result.failures, "", *result.decisions, result.place])
            message = _clean("; ".join(result.failures))
            ElementTree.SubElement(case, "failure", message=message).text = _clean(text)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """Leave out what XML cannot hold, whatever a header or a name brought along."""
    return "".join(one for one in text if one in "\n\t" or one.isprintable())

"""Adapters as a table of plain text."""

from collections.abc import Sequence

from pd_exporter.adapters.judgement import Finding

_HEADS = ("NAMESPACE", "NAME", "GROUP", "ROLE", "PHASE", "REPLICAS", "SELECTOR", "RUNS ON", "")


def table(findings: Sequence[Finding]) -> str:
    """Write a line for each adapter, under a line of headings."""
    if not findings:
        return "No RoleBasedGroupScalingAdapters.\n"
    rows = [_HEADS, *map(_row, findings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines) + "\n"


def _row(finding: Finding) -> tuple[str, ...]:
    adapter = finding.adapter
    replicas = adapter.spec.replicas
    return (
        adapter.metadata.namespace,
        adapter.metadata.name,
        adapter.spec.target.name,
        adapter.spec.target.role,
        adapter.status.phase or "-",
        "-" if replicas is None else str(replicas),
        "yes" if adapter.has_selector else "MISSING",
        finding.runs_on or "-",
        "wrong" if finding.wrong else "",
    )

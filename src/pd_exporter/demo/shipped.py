"""The files that pd-exporter ships beside its code."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_RULES = ("rules/recording.yaml", "rules/alerts.yaml")


def shipped(relative: str) -> Path:
    """Locate a shipped file, such as ``rules/recording.yaml``: in a wheel, or in the repository."""
    packaged = _PACKAGE / "shipped" / relative
    return packaged if packaged.exists() else _PACKAGE.parents[1] / relative


def shipped_rules() -> list[Path]:
    """Locate the rule files: recorded series, and the alerts where they are shipped."""
    return [path for path in map(shipped, _RULES) if path.exists()]

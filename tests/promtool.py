"""Queries over the shipped rules, evaluated by promtool."""

from pathlib import Path

import yaml

from tests.servers import program, run

RULES = Path(__file__).parents[1] / "rules" / "recording.yaml"


def ask(query: str, series: dict[str, str], at: str, expected: float | None, folder: Path) -> None:
    """Have promtool evaluate a query over the shipped rules, and compare."""
    labels = 'namespace="llm",group="dynamo-pd",role="prefill",stream="q",consumer="w",instance="a"'
    samples = [{"labels": "{}", "value": expected}] if expected is not None else []
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": f"{name}{{{labels}}}", "values": values}
                    for name, values in series.items()
                ],
                "promql_expr_test": [
                    # Labels do not matter to KEDA, and rounding hides the last bits of a float.
                    {"expr": f"round(max({query}), 1e-6)", "eval_time": at, "exp_samples": samples}
                ],
            }
        ],
    }
    file = folder / "query.test.yaml"
    file.write_text(yaml.safe_dump(test))

    done = run(program("promtool"), "test", "rules", file)

    assert done.returncode == 0, done.stdout + done.stderr

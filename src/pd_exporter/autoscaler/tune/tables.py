"""What `pd-exporter tune` prints in a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pd_exporter.autoscaler.tune.score import Result, Spread
from pd_exporter.autoscaler.tune.search import Answer, attains


def print_facts(console: Console, title: str, facts: Mapping[str, str]) -> None:
    """Print what was asked, a line a fact."""
    grid = Table.grid(padding=(0, 2))
    for name, fact in facts.items():
        grid.add_row(f"[dim]{escape(name)}[/]", escape(fact))
    console.print(f"\n[bold]{escape(title)}[/]")
    console.print(Padding(grid, (0, 0, 1, 2)))


def print_answer(console: Console, answer: Answer, cost: float | None) -> None:
    """Print what a search found: the settings with names, the front, the intervals."""
    target = answer.question.target
    console.print(results_table("Compared", answer.compared, target, cost))
    console.print(
        results_table(
            f"Pareto front of the best of {answer.tried} settings", answer.front, target, cost
        )
    )
    if len(answer.intervals) > 1:
        console.print(
            results_table("The chosen one by interval", answer.intervals, target, cost, paths=True)
        )


def results_table(
    title: str,
    results: Sequence[Result],
    target: float,
    cost: float | None,
    *,
    paths: bool = False,
) -> Table:
    """Draw settings with their scores: mean and standard deviation over the replays.

    Args:
        title: Above the table.
        results: Its rows.
        target: The share to attain, 0 to 1; rows that do are marked.
        cost: Of a replica-hour; None leaves the column out.
        paths: Whether rows are told apart by scrape and rule interval.
    """
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    table.add_column("")
    table.add_column("scrape/rule" if paths else "setting", overflow="fold")
    for name in ("within goal %", "worst %", "replica-hours", "p95 wait s", "peak"):
        table.add_column(name, justify="right")
    if cost is not None:
        table.add_column("cost", justify="right")
    for result in results:
        mark = "[green]✓[/]" if attains(result, target) else "[red]✗[/]"
        name = result.setting.path.label if paths else result.setting.name
        cells = [
            mark,
            escape(name),
            _spread(result.attainment, 100, 2),
            f"{100 * result.attainment.least:.2f}",
            _spread(result.replica_hours, 1, 2),
            _spread(result.wait_p95, 1, 2),
            f"{result.peak_replicas.mean:.1f}",
        ]
        if cost is not None:
            cells.append(f"{cost * result.replica_hours.mean:.2f}")
        table.add_row(*cells)
    return table


def _spread(spread: Spread, factor: float, digits: int) -> str:
    return f"{factor * spread.mean:.{digits}f} ± {factor * spread.deviation:.{digits}f}"

"""A verdict for a person."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from automl_stream.verify.verdict import Verdict


def show(verdict: Verdict, lagging: Sequence[str], console: Console) -> None:
    """Print one line a check, then the first differences."""
    table = Table("check", "looked at", "result")
    for name, result in verdict.checks.items():
        well = "[green]well[/green]" if not result.differences else f"[red]{result.differences} differ[/red]"
        table.add_row(name, f"{result.looked_at:,}", well)
    console.print(table)
    console.print(f"{verdict.rows:,} rows: {verdict.predictions:,} predictions, {verdict.dead_letters:,} dead letters, "
                  f"{verdict.lost:,} lost; {verdict.raw_repeats:,} raw repeats.")
    for group in lagging:
        console.print(f"Judged although it lags behind: {escape(group)}.")
    for name, result in verdict.checks.items():
        for note in result.notes:
            console.print(escape(f"{name}: {note}."))
    for difference in verdict.differences:
        console.print(escape(f"\n{difference.check}: {difference.where}\n  expected {difference.expected}\n"
                             f"  found    {difference.found}"))
    console.print("\n[green]All is well.[/green]" if verdict.ok else "\n[red]Not all is well.[/red]")

"""What `refilter` and `merge` print."""

import click

from synthmill.flows.report_text import counted
from synthmill.pipelines.refilter import RefilterSummary


def print_refilter(done: RefilterSummary) -> None:
    """What became of the rows, and the version that holds it."""
    if done.started_over:
        click.echo("an earlier refilter was killed before its version was committed: started over")
    click.echo(f"{done.dataset}: {counted(done.judged, 'row')} judged")
    for reason, count in done.rejected.items():
        click.echo(f"  {count:,} rejected now: {reason}")
    if done.readmitted:
        click.echo(f"  {done.readmitted:,} accepted again")
    if done.version is None:
        click.echo(f"  no verdict changed; version {done.old_version} stays the newest")
    else:
        click.echo(f"  version {done.version}; version {done.old_version} keeps the old verdicts")

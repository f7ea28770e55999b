"""`wordgate bench`: benchmarks on this machine, as a table or JSON."""

import click

from wordgate.cli.command import Group
from wordgate.cli.commands.benchmarks.http import http
from wordgate.cli.commands.benchmarks.isolation import isolation
from wordgate.cli.commands.benchmarks.model import model
from wordgate.cli.commands.benchmarks.overload import overload
from wordgate.cli.commands.benchmarks.restart import restart
from wordgate.cli.commands.benchmarks.score import score
from wordgate.cli.commands.benchmarks.sessions import sessions
from wordgate.cli.commands.benchmarks.train import train
from wordgate.cli.commands.benchmarks.type import type_


@click.group(cls=Group)
def bench() -> None:
    """Run benchmarks. Variants are interleaved in one run; figures are medians."""


for benchmark in (train, model, score, type_, http, overload, isolation, sessions, restart):
    bench.add_command(benchmark)

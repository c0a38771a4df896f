"""All commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

import minigrad
from minigrad.cli import classify, demo, train

app = typer.Typer(
    name="minigrad",
    help="Neural networks written by hand: train one on data of your own, and use it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"minigrad {minigrad.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options before a command."""


app.command("demo")(demo.demo)
app.add_typer(train.app, name="train")
app.command("resume")(train.resume)
app.command("eval")(train.evaluate)
app.command("classify")(classify.classify)

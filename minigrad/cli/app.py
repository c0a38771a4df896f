"""All commands, put together."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import minigrad
from minigrad.cli import (
    bench,
    classify,
    data,
    demo,
    detect,
    doctor,
    explain,
    export,
    handwrite,
    imagine,
    kernels,
    train,
    translate,
    warmup,
    write,
)

ORDER = (
    "demo",
    "train",
    "resume",
    "eval",
    "classify",
    "detect",
    "write",
    "handwrite",
    "translate",
    "imagine",
    "explain",
    "export",
    "data",
    "kernels",
    "bench",
    "warmup",
    "doctor",
)  # in the help


class Commands(TyperGroup):
    """Commands and groups of commands in one order."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    cls=Commands,
    help="Neural networks written by hand: train one on data of your own, and use it.\n\nBegin with: minigrad demo",
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
app.command("detect", help=detect.HELP)(detect.detect)
app.command("write", help=write.HELP)(write.write)
app.command("handwrite", help=handwrite.HELP)(handwrite.handwrite)
app.command("translate", help=translate.HELP)(translate.translate)
app.command("imagine", help=imagine.HELP)(imagine.imagine)
app.command("explain", help=explain.HELP)(explain.explain)
app.command("export", help=export.HELP)(export.export)
app.add_typer(data.app, name="data")
app.add_typer(kernels.app, name="kernels")
app.command("bench", help=bench.HELP)(bench.bench)
app.command("warmup")(warmup.warmup)
app.command("doctor")(doctor.doctor)

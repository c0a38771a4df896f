"""``minigrad warmup``: kernels compiled before they are needed."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from minigrad.cli.output import complain, say, say_json

NOT_KEPT = 1  # the exit code where compiled kernels cannot be kept


def warmup(
    all_dtypes: Annotated[bool, typer.Option("--all", help="For float64 too, not only float32.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Compile all kernels for this processor, so that no first step has to wait for it.

    They are kept in the cache folder; what is there already is not compiled again. Exit code 1 where they cannot be kept.

    Example: minigrad warmup --all
    """
    from minigrad.kernels.native import ahead
    from minigrad.kernels.native.store import store
    from minigrad.show.progress import Progress
    from minigrad.show.text import duration

    there = store()
    if there.trouble:
        complain(f"compiled kernels cannot be kept: {there.trouble}. {there.remedy}.")
        raise typer.Exit(NOT_KEPT)
    dtypes = ("float32", "float64") if all_dtypes else ("float32",)
    listed = ahead.jobs(dtypes)
    missing = [job for job in listed if not job.is_kept()]
    begin, compiled = time.perf_counter(), []
    with Progress(len(missing), "kernels", describe="compiling", keep=False) as progress:
        for job, seconds in ahead.compiled(missing):
            compiled.append((job, seconds))
            progress.advance(len(compiled), len(compiled), {"last": job.title})
    taken = time.perf_counter() - begin
    lost = [job for job, _ in compiled if not job.is_kept()]
    if json:
        rows = [{"kernel": job.title, "dtype": job.dtype, "seconds": round(seconds, 3)} for job, seconds in compiled]
        told = {
            "folder": str(there.folder),
            "dtypes": dtypes,
            "kernels": len(listed),
            "seconds": round(taken, 3),
            "compiled": rows,
            "not_kept": [job.title for job in lost],
        }
        say_json(told)
    if lost:
        complain(
            f"{len(lost)} of {len(compiled)} compiled kernels could not be kept in {there.folder}. Is there room on its disk?"
        )
        raise typer.Exit(NOT_KEPT)
    if json:
        return
    state = f"{len(compiled)} compiled in {duration(taken)}" if compiled else "all were there"
    say(f"{len(listed)} kernels for {' and '.join(dtypes)}: {state}. They are kept in {there.folder}.")

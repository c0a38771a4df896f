"""``minigrad bench``: how fast kernels and training steps are here, beside others; and what is not to be believed."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from minigrad.bench.plan import Plan
    from minigrad.bench.row import Row
    from minigrad.bench.session import Session
    from minigrad.core.device import device

REFUSED = 1  # the exit code where a number is not to be trusted
SECONDS, SECONDS_EACH = 2.0, 0.3  # of timing: of what was asked for, and of each op of the short table
PATIENCE = 60.0  # seconds until it is told what takes so long: nobody is to look at the clock's process often
NARROW = 128  # columns: a narrower terminal has fewer columns of the table
HELP = """\
Time kernels and training steps, and refuse the numbers that cannot be trusted.

WHAT is a kernel family (conv2d), one of its functions (conv2d.grad_weight), a training step (small-cnn), or a file of your \
own that registers kernels; they are timed beside the default. Without any: a short table of what there is.

Each op is held to its reference before it is timed, and on fresh inputs while it is. The clock runs in turns: ours, the \
peer's, ours again. "cold" is a call with nothing in the caches, "first +" what the first call of all took beyond a later one: \
imports, compiling. Below 5 ms the least times are compared, else the medians; a peer has the better of one thread and as many \
as we have.

Exit code: 0 where every number can be trusted, 1 where one is refused (the table says why), 2 for a wrong command line.

Example: minigrad bench conv2d --shape "C32 H32" --against torch --picture roofline.png
"""


def bench(
    context: typer.Context,
    what: Annotated[list[str] | None, typer.Argument(help="Families, functions, steps or files.", show_default=False)] = None,
    impl: Annotated[
        list[str] | None, typer.Option("--impl", help="Implementations: NAME, FAMILY=NAME or all.", show_default=False)
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option("--against", help="A library to time beside: torch.", show_default=False)
    ] = None,
    shape: Annotated[str, typer.Option("--shape", help="Only ops with this in their shape.", show_default=False)] = "",
    sizes: Annotated[
        list[str] | None, typer.Option("--set", help="SIZE=NUMBER: another size of a step.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads of kernels and BLAS.", show_default="all cores")
    ] = None,
    where: Annotated[str, typer.Option("--device", help="cpu, or a GPU: cuda, cuda:1.")] = "cpu",
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or float64, for kernels.")] = "float32",
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.0, help="Seconds of timing for each op, at least.", show_default="2; short table 0.3"),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw a roofline plot: a .png or .svg.", show_default=False)
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Compare commits on this machine, and time nothing.")] = False,
    history_file: Annotated[
        Path | None, typer.Option("--history-file", help="Where the history is kept.", show_default="the cache folder")
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Measure this machine's peaks anew.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """The command; ``HELP`` is what it says of itself."""
    from minigrad.cli import apart

    if not history:
        apart.passed_on(context, what, patience=PATIENCE)
    from minigrad.bench import roofline
    from minigrad.bench.history import history_path
    from minigrad.bench.plan import plan
    from minigrad.benchmarks import WORKLOADS
    from minigrad.core.device import device, module_for

    kept = history_path() if history_file is None else history_file
    if history:
        _show_history(kept, what or [], json)
        return
    if dtype not in ("float32", "float64"):
        raise ArgumentError("bench", "--dtype", "float32 or float64", repr(dtype))
    if picture is not None:
        roofline.check_path(picture)
    on = device(where)
    if on.type == "emulated":
        raise ArgumentError("bench", "--device", "cpu or cuda: times of the emulator say nothing of a GPU's", repr(where))
    module_for(on)
    wished = _sizes(sizes or [])
    found = plan(what or [], WORKLOADS, impl=impl or [], shape=shape, sizes=wished, device_type=on.type)
    if dtype != "float32" and found.steps:
        raise ArgumentError("bench", "--dtype", "float32 for a training step", dtype)
    if seconds is None:
        seconds = SECONDS if what else SECONDS_EACH
    if on.type == "cpu":
        rows, session = _measure(found, threads, dtype, seconds, against or [], anew)
        _keep(rows, kept)
    else:
        rows, session = measure_on_gpu(found, on, dtype, seconds, against or [])
    if json:
        _print_json(rows, session)
    else:
        _print(rows, session)
    if picture is not None:
        roofline.save(picture, rows, session.peaks)
    if any(row.refused for row in rows):
        raise typer.Exit(REFUSED)


def _sizes(wishes: list[str]) -> dict[str, int]:
    sizes = {}
    for wish in wishes:
        name, _, number = wish.partition("=")
        if not name.strip() or not number.strip().isdigit():
            raise ArgumentError("bench", "--set", "SIZE=NUMBER, as in batch=16", repr(wish))
        sizes[name.strip()] = int(number)
    return sizes


def _measure(
    found: Plan, threads: int | None, dtype: str, seconds: float, against: list[str], anew: bool
) -> tuple[list[Row], Session]:
    """Time all that was planned."""
    from threadpoolctl import threadpool_limits

    from minigrad.bench import machine, peers
    from minigrad.bench.clock import WallClock
    from minigrad.bench.session import Session, Settings
    from minigrad.cli import apart
    from minigrad.cli.reading import reading
    from minigrad.kernels import native

    clock = WallClock()
    rows: list[Row] = []
    with ExitStack() as stack:
        count = native.threads() if threads is None else threads
        stack.enter_context(native.thread_count(count))
        stack.enter_context(threadpool_limits(count, user_api="blas"))
        beside = [peers.load(name) for name in dict.fromkeys(against)]
        for peer in beside:
            stack.enter_context(peer.threads(count))
        report = stack.enter_context(reading("ops"))
        total = len(found.ops) + len(found.steps)
        report("timing", 0, total)
        products = {peer.name: peer.product for peer in beside if peer.alike}
        apart.doing("what this machine can do")
        peaks = machine.recorded(count, dtype, clock, anew=anew, products=products)
        session = Session(Settings(count, dtype, seconds), clock, peaks, beside, doing=apart.doing)
        for op, names in found.ops:
            rows += session.op(op, names)
            report("timing", len(rows), max(total, len(rows)))
        for workload, choices in found.steps:
            rows += session.workload(workload, found.sizes, choices)
        machine.keep(peaks)
    return rows, session


def measure_on_gpu(found: Plan, where: device, dtype: str, seconds: float, against: list[str]) -> tuple[list[Row], Session]:
    """Time all that was planned on a GPU, beside PyTorch with cuDNN where that is asked for."""
    import importlib

    from minigrad.bench.peers import load
    from minigrad.bench.place import Gpu, TorchOnGpu
    from minigrad.bench.session import Session, Settings
    from minigrad.cli import apart

    for name in against:
        if name != "torch":
            raise ArgumentError("bench", "--against", "torch, on a GPU", repr(name))
        if not load(name).module.cuda.is_available():
            raise ArgumentError("bench", "--against", "a PyTorch that sees the GPU", "one that sees none",
                                "Install the build for the driver's CUDA")  # fmt: skip
    rows: list[Row] = []
    with ExitStack() as stack:
        gpu = Gpu(where)
        stack.enter_context(gpu.default())
        beside = [TorchOnGpu(importlib.import_module(name)) for name in dict.fromkeys(against)]
        for peer in beside:
            stack.enter_context(peer.threads(1))
        clock = gpu.clock()
        apart.doing(f"what {gpu.name()} can do")
        session = Session(Settings(1, dtype, seconds), clock, gpu.peaks(dtype, clock), beside, gpu, doing=apart.doing)
        for op, names in found.ops:
            rows += session.op(op, names)
        for workload, choices in found.steps:
            rows += session.workload(workload, found.sizes, choices)
    return rows, session


def _keep(rows: list[Row], path: Path) -> None:
    """Write trusted numbers into the history; where that cannot be done, the numbers are still shown."""
    import minigrad
    from minigrad.bench.history import append, version
    from minigrad.cli.output import complain

    commit, changed = version(Path(minigrad.__file__).parent, minigrad.__version__)
    try:
        append(rows, commit, changed, path)
    except OSError as error:
        complain(f"the history is not kept: {path}: {error.strerror or error}", "warning")


def _print_json(rows: list[Row], session: Session) -> None:
    import minigrad
    from minigrad.bench.history import version
    from minigrad.bench.machine import machine_name
    from minigrad.bench.place import Gpu
    from minigrad.cli.output import say_json

    peaks, settings = session.peaks, session.settings
    commit, changed = version(Path(minigrad.__file__).parent, minigrad.__version__)
    say_json(
        {
            "minigrad": minigrad.__version__,
            "commit": commit,
            "changed": changed,
            "machine": session.place.name() if isinstance(session.place, Gpu) else machine_name(),
            "threads": settings.threads,
            "dtype": settings.dtype,
            "peers": {peer.name: peer.version for peer in session.peers},
            "peak": {
                "gflops": peaks.best / 1e9,
                "by": peaks.by,
                "gbytes": {str(size): rate / 1e9 for size, rate in peaks.memory.items()},
            },
            "absent": _absent(rows, session),
            "refused": sum(bool(row.refused) for row in rows),
            "rows": [row.as_json() for row in rows],
        }
    )


def _print(rows: list[Row], session: Session) -> None:
    """The table, what is refused and why, and what the machine can do."""
    from minigrad.cli.output import complain, say
    from minigrad.cli.terminal import room, show, table
    from minigrad.show.text import open_console

    console = open_console()
    width = room(console)
    wide = width is None or width >= NARROW
    header, cells = columns(rows, [peer.name for peer in session.peers], wide)
    show(table(header, cells, console), console)
    say("")
    for name, reason in _absent(rows, session).items():
        say(f"not timed: {name}: {reason}")
    say(_machine(session))
    slow = [row for row in rows if (row.first or 0.0) > 0.2 and not row.refused]
    if slow and not wide:
        say("first call, with imports and compiling: " + "; ".join(f"{row.what} {row.who} {row.first:.1f} s" for row in slow))
    for row in rows:
        for reason in row.refused:
            complain(f"refused: {row.what}, {row.shape}, {row.who}: {reason}")


def _absent(rows: list[Row], session: Session) -> dict[str, str]:
    """Which libraries are not in the table, or not beside all that is, and why; nothing where none was asked for."""
    from minigrad.bench.peers import absent, without_a_row

    asked = [peer.name for peer in session.peers]
    if not asked:
        return {}
    return {**without_a_row(rows, [name for name in asked if name not in session.failed]), **session.failed, **absent(asked)}


def columns(rows: list[Row], peers: list[str], wide: bool) -> tuple[list[str], list[list[Any]]]:
    """The table's header and cells. A number that is refused is not shown.

    Example:
        >>> from minigrad.bench.row import Row
        >>> row = Row("pool2d.max_forward", "2x2", "cpu", True, "float32", 2, seconds=0.002, repeat=0.01, median=0.002)
        >>> header, cells = columns([row], [], wide=False)
        >>> header
        ['op', 'shape', 'kernel', 'ms', '±', 'GFLOP/s', 'of peak']
        >>> cells[0][3:5]
        [2.0, '1 %']
        >>> row.refused.append("busy machine")
        >>> columns([row], [], wide=False)[1][0][2:4]
        ['cpu: refused', None]
    """
    from minigrad.bench.clock import SHORT

    header = [
        "op",
        "shape",
        "kernel",
        "ms",
        "±",
        "GFLOP/s",
        *(["GB/s"] if wide else []),
        "of peak",
        *(["cold ms", "first +ms"] if wide else []),
    ]
    header += [f"{peer} / ours" for peer in peers]
    cells = []
    for row in rows:
        cell: list[Any] = [row.what, row.shape, row.way or row.who]
        if row.refused:
            cells.append([row.what, row.shape, f"{cell[2]}: refused", *[None] * (len(header) - 3)])
            continue
        spread = row.repeat if row.median < SHORT else row.spread
        cell += [1e3 * row.seconds, None if math.isnan(spread) else f"{100 * spread:.0f} %", row.gflops]
        cell += [row.gbytes] if wide else []
        cell += [None if row.share is None else f"{100 * row.share:.0f} %"]
        cell += [None if each is None else 1e3 * each for each in (row.cold, row.first)] if wide else []
        cells.append(cell + [row.against.get(peer) for peer in peers])
    return header, cells


def _machine(session: Session) -> str:
    from minigrad.bench.machine import machine_name
    from minigrad.bench.place import Gpu

    peaks = session.peaks
    memory = ", ".join(f"{rate / 1e9:,.0f} GB/s for {size >> 20} MB" for size, rate in peaks.memory.items())
    threads = f"{peaks.threads} thread{'s' * (peaks.threads > 1)}"
    product = f"best matrix product {peaks.best / 1e9:,.0f} GFLOP/s ({peaks.by})"
    name = session.place.name() if isinstance(session.place, Gpu) else f"{machine_name()}, {threads}"
    return f"{name}, {peaks.dtype}: {product}; memory {memory}."


def _show_history(path: Path, words: list[str], json: bool) -> None:
    """What earlier commits measured."""
    from minigrad.bench.history import compared, read
    from minigrad.cli.output import say, say_json
    from minigrad.cli.terminal import show, table

    entries = [entry for entry in read(path) if not words or entry.what in words or entry.what.split(".")[0] in words]
    found = compared(entries)
    if json:
        say_json([{**vars(entry), "faster": faster} for entry, faster in found])
        return
    if not found:
        say(f"No number of this machine is kept in {path}. Begin with: minigrad bench")
        return
    rows = [
        (entry.what, entry.shape, entry.who, entry.threads, entry.state, 1e3 * entry.seconds, faster) for entry, faster in found
    ]
    show(table(["op", "shape", "kernel", "threads", "commit", "ms", "times as fast"], rows))
    if any(entry.changed for entry, _ in found):
        say("A commit with * had files changed.")

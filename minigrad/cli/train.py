"""``minigrad train``, ``resume`` and ``eval``."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from minigrad.cli import INTERRUPTED
from minigrad.cli.kernels import Kernels
from minigrad.cli.output import complain, say, say_command
from minigrad.cli.reading import reading
from minigrad.cli.tasks import TASKS, commands, entry, task_class
from minigrad.errors import ArgumentError, DataError

app = typer.Typer(
    help="Train a model on data of your own, or on a named set.\n\nExample: minigrad train classify --data photos",
    no_args_is_help=True,
)
LONGEST_NAME = 40  # letters of the data's name that a run folder's name takes
NOTHING = "none"  # of --init-from: no weights, also where some are usual

Data = Annotated[
    list[str],
    typer.Option("--data", metavar="NAME|PATH", help="A named set (see minigrad data list), or a path.", show_default=False),
]
Several = Annotated[
    list[str],
    typer.Option(
        "--data", metavar="NAME|PATH", show_default=False,
        help="A named set (see minigrad data list), a file or a folder; may be repeated.",
    ),
]  # fmt: skip
Glob = Annotated[str | None, typer.Option("--glob", metavar="PATTERNS", help="Which files of a folder of text: '*.py,*.pyi'.")]
Bytes = Annotated[bool, typer.Option("--bytes", metavar="", help="Text is learned as bytes, in any encoding.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="RUN", help="The run folder to make.", show_default="runs/TASK-DATA-1, or -2, ..."),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="DEVICE", help="Where to compute: cpu, cuda or cuda:1.", show_default="MINIGRAD_DEVICE or cpu"
    ),
]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A run folder, a shipped model's name, or a file of weights.", show_default=False)
]
InitFrom = Annotated[
    str | None,
    typer.Option(
        "--init-from", metavar="MODEL",
        help="Begin with the weights of this model: a run folder, a shipped one, or a file; none: with nothing.",
        show_default="of detect a classifier of photos, else none",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", metavar="", help="Write JSON for a program to read.")]


def _add(name: str) -> None:
    """Give a task its command, whose help lists its settings."""

    class WithSettings(TyperCommand):
        """A command whose help ends with the table of the task's settings, which are loaded only then."""

        def format_help(self, ctx: Any, formatter: Any) -> None:
            from minigrad.cli.terminal import facts, show

            super().format_help(ctx, formatter)
            say("Settings, as they are; --set KEY=VALUE changes them (auto: found from the data, and printed)\n")
            rows = task_class(name).Settings.table()
            show(facts({f"{key}={default}": about for key, default, about in rows}))

    task = entry(name)
    help = f"Train {task.makes}.\n\nData: {task.data}.\n\nExample: {task.example}"

    def command(
        data: Data,
        glob: Glob = None,
        bytes: Bytes = False,
        out: Out = None,
        init_from: InitFrom = None,
        device: Device = None,
        set: Set = None,
        kernels: Kernels = None,
    ) -> None:
        words = ([] if glob is None else [f"glob={glob}"]) + ["bytes=true"] * bytes
        train(name, data, out, init_from, device, words + (set or []))

    if task.several:
        command.__annotations__["data"] = Several
    if not task.words:  # they keep their defaults
        told = inspect.signature(command, eval_str=True)
        kept = [parameter for key, parameter in told.parameters.items() if key not in ("glob", "bytes")]
        command.__signature__ = told.replace(parameters=kept)  # type: ignore[attr-defined]
    app.command(name, cls=WithSettings, help=help)(command)


for _name in TASKS:
    _add(_name)


def train(name: str, data: list[str], out: Path | None, init_from: str | None, device: str | None, words: list[str]) -> None:
    """Begin a run, and stay with it to its end. The data are one name or path, or of a text several."""
    from minigrad.train.runs import Run, free_name

    if len(data) > 1 and not entry(name).several:
        raise ArgumentError("train", "--data", f"one name or path, for the task {name}", f"{len(data):,}")
    kind = task_class(name)
    settings = kind.Settings.parse(words)
    more = f"-and-{len(data) - 1}-more" if len(data) > 1 else ""
    run = Run(free_name("runs", f"{name}-{short_name(data[0])}{more}") if out is None else out)
    run.check_new()
    settings, initial, like = _begun(kind, data, settings, init_from, words)
    with _on(device), run:  # taken before the data are read, which may take long
        run.check_new()  # another process may have been faster
        with reading() as report:
            try:
                task = kind(data if len(data) > 1 else data[0], settings, say, report, **like)
            except DataError as error:
                raise _with_check(error, name, data, settings) from error
        _fit(task, run, initial)


def _begun(
    kind: Any, data: list[str], settings: Any, init_from: str | None, words: list[str]
) -> tuple[Any, Any, dict[str, Any]]:
    """The settings, the weights to begin with, and what the task is told of their model.

    Where the user names none, the model that is usual for the task need not be there: the training begins without.
    """
    from minigrad.train.initial import Initial
    from minigrad.train.trained import Trained

    usual = kind.usual_start(data[0], settings) if init_from is None else None
    chosen = usual if init_from is None else init_from
    if chosen in (None, NOTHING):
        return settings, None, {}
    try:
        model = Trained.open(chosen)
        initial, config = Initial.of(model), model.config(kind.name, *kind.begins_with)
    except DataError as error:
        if usual is None:
            raise
        complain(f"{usual} cannot be had, so the network begins with weights that know nothing: {error}", "note")
        return settings, None, {}
    theirs = config.get("settings") if config["task"] == kind.name else None
    known = {key: theirs[key] for key in kind.inherits if key in theirs} if isinstance(theirs, dict) else {}
    return kind.Settings.parse(words, known), initial, {"like": config.get("model")}


def _with_check(error: DataError, task: str, data: list[str], settings: Any) -> DataError:
    """An error about one fault of a folder, which says how to see all of them: in the same files, read in the same way."""
    if "data check" in error.remedy or not all(Path(place).exists() for place in data):
        return error
    if isinstance(error.__cause__, ImportError):  # a library is missing, of which the data know nothing
        return error
    told = error.remedy if not error.remedy or error.remedy[-1] in ".?" else f"{error.remedy}."
    words = list(data)
    if entry(task).words:
        words += ([] if settings.glob is None else ["--glob", settings.glob]) + ["--bytes"] * settings.bytes
    remedy = f"{told} `minigrad data check {task} {shlex.join(words)}` lists all that is wrong".strip()
    return type(error)(error.where, error.argument, error.expected, error.got, remedy)


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.", show_default=False)],
    device: Device = None,
    kernels: Kernels = None,
) -> None:
    """Go on with a run that was interrupted or killed, as if nothing had happened.

    Example: minigrad resume runs/classify-photos-1
    """
    from minigrad.train.runs import Run

    folder = Run(run)
    config = folder.config()
    kind = task_class(config["task"])
    with _on(device), folder:
        with reading() as report:
            task = kind.of(config, progress=report)
        _fit(task, folder)


def evaluate(
    model: Model,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME|PATH", help="Other data than those it was trained on; of text may be repeated."),
    ] = None,
    glob: Glob = None,
    bytes: Annotated[
        bool, typer.Option("--bytes", metavar="", help="Of text: see to it that the model is one of bytes.")
    ] = False,
    unseen: Annotated[
        str | None,
        typer.Option(
            "--unseen",
            metavar="refuse|skip|fold",
            help="Of a text: what becomes of characters that the model does not know.",
            show_default="refuse",
        ),
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(metavar="WIDTH", help="Of a translator: follow so many beginnings.", show_default="1, the likeliest word"),
    ] = None,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", metavar="", help="Of a translator: BLEU and chrF without capital letters.")
    ] = False,
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """Measure a trained model: on the test part of its data, else on what was held out, or on other data.

    Example: minigrad eval runs/classify-photos-1 --data other-photos
    """
    from minigrad.train.trained import Trained

    task = Trained.open(model).config()["task"]
    given = {"--unseen": unseen, "--glob": glob, "--bytes": bytes or None}
    asked = [name for name, value in given.items() if value is not None]
    translating = ["--beam"] * (beam is not None) + ["--lowercase"] * lowercase
    if translating and task != "translate":
        raise ArgumentError("eval", translating[0], "a translator", f"a model of the task {task}", "Leave it out")
    if not entry(task).words:
        if asked:
            got = f"one of the task {task}"
            raise ArgumentError("eval", asked[0], "a model of text, and --data", got, "Leave it out")
        if entry(task).several:
            commands(task).evaluate(model, data or None, json, beam=beam, lowercase=lowercase)
            return
        if data is not None and len(data) > 1:
            raise ArgumentError("eval", "--data", f"one name or path, with a model of the task {task}", f"{len(data):,}")
        commands(task).evaluate(model, data[0] if data else None, json)
        return
    if asked and not data:
        got = "none: a model knows the characters of its own data" if unseen else "none: its own data are read as they were"
        raise ArgumentError("eval", asked[0], "a model of text, and --data", got, "Leave it out")
    commands(task).evaluate(model, data or None, json, unseen or "refuse", glob=glob, bytes=bytes)


def short_name(data: str) -> str:
    """What a run or a picture is called after its data: plain letters, digits, dots and dashes, and not too many.

    Example:
        >>> short_name("mnist5k"), short_name("~/Pictures/My photos!/"), short_name("/")
        ('mnist5k', 'My-photos', 'data')
    """
    name = os.path.basename(os.path.abspath(os.path.expanduser(data)))
    return re.sub(r"[^\w.]+", "-", name)[:LONGEST_NAME].strip("-.") or "data"


@contextlib.contextmanager
def _on(device: str | None) -> Iterator[None]:
    """New tensors are made on a device, which is there."""
    from minigrad.core.device import default_device, get_default_device, module_for

    with contextlib.nullcontext() if device is None else default_device(device):
        module_for(get_default_device())
        yield


def _fit(task: Any, run: Any, initial: Any = None) -> None:
    """Train, and say how it ended and what can be done now."""
    from minigrad.kernels import chosen

    path = shlex.quote(str(run.path))
    if chosen():
        names = ", ".join(f"{family}={name}" for family, name in sorted(chosen().items()))
        say(f"kernels: {names}; MINIGRAD_CHECK=1 stops at the first call that differs from the reference")
    if initial is not None:
        say(f"beginning with the weights of {initial.entry['model']}")
    outcome = follow(task, run, f"minigrad resume {path}", initial)
    best = f"best {task.goal[0]} {outcome.best:.4f} at step {outcome.best_step}"
    say(f"{outcome.status.capitalize()} after {outcome.step} steps; {best}.")
    say(f"The report: {run.report}")
    say("To use it:")
    say_command(entry(task.name).use.format(run=path))


def follow(task: Any, run: Any, again: str, initial: Any = None) -> Any:
    """Train to the end, and give the outcome; when it is stopped, say how to go on and leave.

    Args:
        task: what to train.
        run: the folder, entered.
        again: the command that goes on.
        initial: the weights to begin with, where they are another model's.

    Raises:
        typer.Exit: it was stopped.
    """
    from minigrad.train.loop import fit

    say(f"run folder: {run.path}")
    try:
        outcome = fit(task, run, initial=initial)
        code, how = 128 + outcome.signal, f"stopped at step {outcome.step} of {task.total_steps}; all is saved"
    except KeyboardInterrupt:  # the second one, which does not wait for the step's end
        outcome, code = None, INTERRUPTED
        how = "stopped at once; what came after the last checkpoint will be done again"
    if outcome is not None and outcome.status != "interrupted":
        return outcome
    complain(f"{how}. Go on by:", "note")
    say_command(again, stderr=True)
    raise typer.Exit(code)

"""``minigrad write``: a trained model of text goes on with a text."""

from __future__ import annotations

import contextlib
import math
import sys
from typing import Annotated, Any

import typer

from minigrad.cli import INTERRUPTED
from minigrad.cli.kernels import Kernels
from minigrad.cli.output import complain, say_json
from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model
from minigrad.errors import ArgumentError, DataError, MissingFileError

LENGTH, FAR = 500, 100_000  # characters, where nothing is said; and where --until ends it
LONG = 20_000  # characters of a prime, the reading of which is shown
POLICIES = ("refuse", "skip", "fold")
WHERE = "write"
HELP = """\
Write on, in the manner of what the model learned from; each character is shown as it is drawn.

With --interactive your lines and the model's take turns. Yours is gone on with where it stops; a backslash at its end stands \
for the line's end, and an empty line lets the model go on. Ctrl-C stops the model, Ctrl-D ends.

Example: minigrad write runs/text-shakespeare-1 --prime "ROMEO" --temperature 0.8
"""

Text = Annotated[
    str,
    typer.Option(
        "--prime", metavar="TEXT|@FILE|-", show_default=False,
        help="What comes before: a text, a file, or standard input. A text that begins with @ is written with two.",
    ),
]  # fmt: skip
Unseen = Annotated[
    str,
    typer.Option(
        "--unseen", metavar="refuse|skip|fold",
        help="What becomes of characters that the model does not know: refused, left out, or read as the one for rare ones.",
    ),
]  # fmt: skip


def write(
    model: Model,
    prime: Text = "",
    unseen: Unseen = "refuse",
    temperature: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="Below 1 more careful, 0 always the likeliest.", show_default="1"),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="N", help="Draw from the N likeliest alone.", show_default="all")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p", metavar="SHARE", help="Draw from the likeliest that together have this probability.", show_default="1"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="The same one gives the same text.", show_default="another")
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="How many characters at most; 0: until Ctrl-C.", show_default=str(LENGTH)),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Stop after this text, \\n in it is a line's end.", show_default=False)
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(metavar="WIDTH", help="Draw nothing: look for the likeliest text, following so many.", show_default=False),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", metavar="", help="Write by turns: a line of yours, then the model's.")
    ] = False,
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    if unseen not in POLICIES:
        raise ArgumentError(WHERE, "--unseen", f"one of {', '.join(POLICIES)}", repr(unseen))
    drawing = {"--temperature": temperature, "--top-k": top_k, "--top-p": top_p, "--seed": seed}
    _check_together(drawing, prime, length, beam, interactive, json)
    from minigrad.models.writer import Writer

    writer = Writer.load(model)
    text = text_of(prime, "--prime", writer.vocabulary)
    until = None if until is None else until.replace("\\n", "\n")
    words: dict[str, Any] = {"length": LENGTH if length is None else length, "until": until}
    if beam is None:
        far = FAR if length is None and until is not None else words["length"]
        words |= {"length": far or None, "seed": seed, "unknown": unseen}
        words |= {"temperature": 1.0 if temperature is None else temperature, "top_k": top_k}
        words |= {"top_p": 1.0 if top_p is None else top_p}
    tell_unseen(writer.vocabulary, text, unseen)
    with reading("characters") as report:
        long = len(text) >= LONG
        told = (lambda done, all: report("reading the prime", done, all)) if long else None
        place = writer.read(text, unknown=unseen, progress=told)
    read = writer.vocabulary.decode(writer.vocabulary.encode(text, unknown=unseen))
    if beam is not None:
        _likeliest(writer, place, read, beam, words, json)
    elif interactive:
        _by_turns(writer, place, read, words)
    else:
        _write(writer, place, read, words, json)


def _check_together(
    drawing: dict[str, Any], prime: str, length: int | None, beam: int | None, interactive: bool, json: bool
) -> None:
    """Refuse options that do not go together.

    Raises:
        ArgumentError: some do not.
    """
    if beam is not None:
        given = [name for name, value in drawing.items() if value is not None] + ["--interactive"] * interactive
        if given:
            raise ArgumentError(WHERE, "--beam", "no option of what is drawn, as nothing is", given[0], "Leave one of them out")
    if interactive and json:
        raise ArgumentError(WHERE, "--json", "a text that is written at one go", "--interactive", "Leave one of them out")
    if interactive and prime == "-":
        raise ArgumentError(WHERE, "--prime", "a text or a file with --interactive, which reads your lines", "-")
    if length == 0 and (json or beam is not None):
        raise ArgumentError(WHERE, "--length", f"an end with {'--json' if json else '--beam'}", "0, which is none")


def _write(writer: Any, place: Any, read: str, words: dict[str, Any], json: bool) -> None:
    from minigrad.models.figures import Figures

    stream = writer.stream(place=place, **words)
    if json:
        text = "".join(stream)
        count = stream.count
        unit = writer.vocabulary.unit
        value = {"prime": read, "text": text, "unit": unit, "characters": count, "seed": stream.seed, "ended": stream.ended}
        say_json({**value, **Figures(stream.nats / count if count else math.nan, unit).plain})
    else:
        with Shown() as shown:
            shown.add(read)
            shown.follow(stream)
    if stream.ended == "length" and words["until"] is not None:
        complain(f"the text of --until did not come within {stream.count:,} characters; --length allows more", "note")


def _likeliest(writer: Any, place: Any, read: str, width: int, words: dict[str, Any], json: bool) -> None:
    found = writer.beam(place=place, width=width, **words)
    if words["until"] is not None and not found[0].text.endswith(words["until"]):
        complain(f"the text of --until does not end the likeliest {words['length']:,} characters; --length allows more", "note")
    if json:
        told = [{"text": one.text, "log_probability": one.log_probability} for one in found]
        say_json({"prime": read, "continuations": told})
        return
    with Shown() as shown:
        shown.add(read + found[0].text)


def _by_turns(writer: Any, place: Any, read: str, words: dict[str, Any]) -> None:
    """A line of the user's, then the model's, until there is none."""
    words = {**words, "length": words["length"] or FAR}
    with Shown() as shown:
        shown.add(read)
    seed = words.pop("seed")
    while (line := _line()) is not None:
        line = f"{line[:-1]}\n" if line.endswith("\\") else line
        try:
            stream = writer.stream(as_given(line), place=place, seed=seed, **words)
        except DataError as error:  # characters that it does not know: another line may do
            complain(str(error))
            continue
        with Shown() as shown:
            try:
                shown.add(line)
                shown.follow(stream)
            except KeyboardInterrupt:  # enough of this one
                pass
        place, seed = stream.here(), None if seed is None else seed + 1


def _line() -> str | None:
    """The user's next line; ``None`` after the last."""
    from minigrad.show.text import is_terminal

    if is_terminal(sys.stdin) and is_terminal(sys.stdout):
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - lines can be edited, and called back
        try:
            return input("> ")
        except EOFError:
            sys.stdout.write("\n")
            return None
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


class Shown:
    """Writes text to standard output as it comes, and a line's end after it. A Ctrl-C inside ends the command.

    A terminal gets no control characters but tabs and ends of lines: what a model writes must not move its cursor.
    """

    def __init__(self) -> None:
        from minigrad.show.text import is_terminal

        self._terminal, self._last = is_terminal(sys.stdout), ""

    def __enter__(self) -> Shown:
        return self

    def add(self, text: str) -> None:
        """Show a text.

        Raises:
            OSError: the reader of a pipe has gone, or the disk is full.
        """
        from minigrad.show.text import encodable, printable

        if text:
            shown = printable(text, keep="\n\t") if self._terminal else text
            self._last = text[-1]  # first, as a Ctrl-C may come when it is written
            sys.stdout.write(encodable(shown, getattr(sys.stdout, "encoding", None)))

    def follow(self, stream: Any) -> None:
        """Show each item of a stream as soon as it is there."""
        for text in stream:
            self.add(text)
            sys.stdout.flush()

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None or kind is KeyboardInterrupt:
            if self._last not in ("", "\n"):
                sys.stdout.write("\n")
            sys.stdout.flush()
        if kind is KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED)


def text_of(given: str, option: str, vocabulary: Any = None, where: str = WHERE) -> str | bytes:
    """The text that an option stands for: itself, ``@FILE``'s, or for ``-`` that of standard input.

    Args:
        given: the option's value.
        option: its name.
        vocabulary: a model's; for one of characters that knows no carriage return, line ends of two characters become one.
        where: the command, for errors.

    Raises:
        MissingFileError, DataError: there is no such file, or it cannot be read.

    Example:
        >>> text_of("Hello", "--text"), text_of("@@home", "--text")
        ('Hello', '@home')
    """
    content: str | bytes = as_given(given)
    if given == "-":
        content = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read()
    elif given.startswith("@@"):
        content = given[1:]
    elif given.startswith("@"):
        expected = "the name of a text file"
        try:
            with open(given[1:], "rb") as file:
                content = file.read()
        except FileNotFoundError:
            remedy = "A text that begins with @ is written with two"
            raise MissingFileError(where, f"{option} {given}", expected, "no such file", remedy) from None
        except OSError as error:
            raise DataError(where, f"{option} {given}", expected, error.strerror or str(error)) from error
    if isinstance(content, bytes) and vocabulary is not None and vocabulary.kind == "characters":
        content = content.removeprefix(b"\xef\xbb\xbf")
        if "\r" not in vocabulary.symbols:
            content = content.replace(b"\r\n", b"\n")
    return content


def as_given(text: str) -> str | bytes:
    """Text as it is, or the bytes that the system handed over where these were no text.

    Example:
        >>> as_given("né"), as_given("n\\udcff")
        ('né', b'n\\xff')
    """
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        from minigrad.data.characters import as_bytes

        return as_bytes(text)


def tell_unseen(vocabulary: Any, text: str | bytes, policy: str) -> None:
    """Say how many characters of a text are left out or folded, and which."""
    from minigrad.data.characters import described
    from minigrad.data.words import counted, listed

    if policy == "fold" and vocabulary.unknown is None:
        return  # which is refused
    if policy in ("skip", "fold") and (unseen := vocabulary.unseen(text)):
        names = listed([described(symbol) for symbol in unseen], 5)
        what = "left out" if policy == "skip" else "read as the one for rare characters"
        number = sum(unseen.values())
        complain(
            f"{counted(number, 'character')} that the model does not know {'is' if number == 1 else 'are'} {what}: {names}",
            "note",
        )

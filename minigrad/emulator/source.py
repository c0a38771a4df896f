"""From CUDA C++ to what g++ takes: kernels are found in the text, and declarations of shared memory are rewritten.

All else of CUDA is a matter of headers (``runtime/cuda.hpp``). Lines stay where they are, so that g++'s messages and the
places of findings are those of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from minigrad.errors import KernelError

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<word>[A-Za-z_]\w*)
      | (?P<number>\.?\d(?:[eEpP][+-]|[\w.'])*)
      | (?P<sign>::|.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_QUALIFIERS = {"extern", "static", "volatile", "const", "constexpr"}
_ALIGNING = {"__align__", "alignas"}


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Definition(NamedTuple):
    """A kernel in the text.

    Attributes:
        name: the function's name, without template arguments.
        parameters: the names of its parameters, in order.
        callable_by_name: whether it is ``extern "C"``, so that its name alone asks for it.
        bound: what stands first in its ``__launch_bounds__``: the most threads of a block.
        template: the names of its template's parameters.
    """

    name: str
    parameters: tuple[str, ...]
    callable_by_name: bool
    bound: str = ""
    template: tuple[str, ...] = ()

    def most_threads(self, expression: str, text: str) -> int | None:
        """The threads that a block may have, where that is a number, a template's parameter or a plain constant.

        Args:
            expression: the kernel as it is asked for, ``"forward<float, 64>"``.
            text: the program's, in which constants are looked for.

        Example:
            >>> text = "template <int N> __global__ void __launch_bounds__(N) fill(float* y) {}"
            >>> definitions(text)[0].most_threads("fill<64>", text)
            64
        """
        given = [part[0].text for part in _split(tokens(expression)[2:-1]) if part]
        said = dict(zip(self.template, given)).get(self.bound, self.bound)
        constant = re.search(
            rf"\b(?:constexpr|const|define)\b[\w \t]*?\b{re.escape(said)}[ \t=]+(\d+)[ \t]*(?:[;,]|//|$)", text, re.M
        )
        if constant and said.isidentifier():
            said = constant[1]
        return int(said) if said.isdecimal() else None


def tokens(text: str) -> list[Token]:
    """Words, numbers, strings and signs of a C++ text; comments and spaces left out."""
    found = (Token(match.lastgroup or "", match.group(), *match.span()) for match in _TOKEN.finditer(text))
    return [token for token in found if token.kind != "space"]


def definitions(text: str) -> list[Definition]:
    """The kernels that a text has.

    Example:
        >>> definitions('extern "C" __global__ void twice(const float* x, float* y, int n) {}')
        [Definition(name='twice', parameters=('x', 'y', 'n'), callable_by_name=True, bound='', template=())]
        >>> definitions("template <int N> __global__ void __launch_bounds__(N) fill(float (&y)[N]) {}")
        [Definition(name='fill', parameters=('y',), callable_by_name=False, bound='N', template=('N',))]
    """
    all_tokens = tokens(text)
    found = []
    open_braces: list[bool] = []  # of each: whether it opened an extern "C" block
    for at, token in enumerate(all_tokens):
        if token.text == "{":
            before = [one.text for one in all_tokens[max(0, at - 2) : at]]
            open_braces.append(before == ["extern", '"C"'])
        elif token.text == "}" and open_braces:
            open_braces.pop()
        elif token.text == "__global__":
            by_name = any(open_braces) or _has_c_linkage(all_tokens, at)
            definition = _definition(all_tokens, at + 1, by_name)
            definition = definition and definition._replace(template=_template(all_tokens, at))
            if definition and definition not in found:
                found.append(definition)
    return found


def _has_c_linkage(all_tokens: list[Token], at: int) -> bool:
    """Whether ``extern "C"`` stands before this token in its declaration."""
    while at > 0 and all_tokens[at - 1].text not in (";", "}", "{"):
        at -= 1
        if all_tokens[at].text == '"C"' and all_tokens[at - 1].text == "extern":
            return True
    return False


def _template(all_tokens: list[Token], at: int) -> tuple[str, ...]:
    """The names of the parameters of a template's declaration that goes on with this token."""
    start = at
    while start > 0 and all_tokens[start - 1].text not in (";", "}", "{"):
        start -= 1
    words = [token.text for token in all_tokens[start:at]]
    if "template" not in words or ">" not in words:
        return ()
    first, last = start + words.index("template") + 2, start + len(words) - 1 - words[::-1].index(">")
    return tuple(_parameter_name(part) for part in _split(all_tokens[first:last]))


def _definition(all_tokens: list[Token], at: int, by_name: bool) -> Definition | None:
    bound = ""
    while at + 1 < len(all_tokens) and all_tokens[at].text not in (";", "{", "}"):
        token = all_tokens[at]
        if token.kind == "word" and all_tokens[at + 1].text == "(":
            end = _closing(all_tokens, at + 1)
            if token.text != "__launch_bounds__":
                listed = [_parameter_name(part) for part in _split(all_tokens[at + 2 : end])]
                return Definition(token.text, tuple(name for name in listed if name), by_name, bound)
            bound = " ".join(one.text for one in next(_split(all_tokens[at + 2 : end]), []))
            at = end
        at += 1
    return None


def _parameter_name(part: list[Token]) -> str:
    """Of ``const float* __restrict__ x = nullptr``: ``x``. Of ``float (&x)[4]`` too."""
    words = []
    for token in part:
        if token.text in ("=", "["):
            break
        if token.kind == "word":
            words.append(token.text)
    return words[-1] if len(words) > 1 else ""


def _closing(all_tokens: list[Token], at: int) -> int:
    """Where the bracket that opens at a token closes."""
    depth = 0
    for position in range(at, len(all_tokens)):
        if all_tokens[position].text in _CLOSING:
            depth += 1
        elif all_tokens[position].text in _CLOSING.values():
            depth -= 1
            if depth == 0:
                return position
    return len(all_tokens)


def _split(part: list[Token]) -> Iterator[list[Token]]:
    """Parts between commas that stand in no bracket, those of templates included."""
    piece: list[Token] = []
    depth = angle = 0
    for at, token in enumerate(part):
        depth += (token.text in _CLOSING) - (token.text in _CLOSING.values())
        if token.text == "<" and depth == 0 and at and part[at - 1].kind == "word":
            angle += 1
        elif token.text == ">" and angle and depth == 0:
            angle -= 1
        if token.text == "," and depth == 0 and angle == 0:
            yield piece
            piece = []
        else:
            piece.append(token)
    if piece:
        yield piece


def rewritten(text: str, name: str) -> str:
    """The text with each ``__shared__`` declaration as a reference into the block's memory, and all lines where they were.

    Args:
        text: CUDA C++.
        name: the file's name, for the error.

    Raises:
        KernelError: a declaration that is no plain one, or stands outside a function.

    Example:
        >>> rewritten("__global__ void f() { extern __shared__ float s[]; }", "f.cu").split("; ")[1]
        'float* s = static_cast<float*>(::emulator::dynamic_shared(s_shared))'
    """
    all_tokens = tokens(text)
    pieces, copied, depth = [], 0, 0
    for at, token in enumerate(all_tokens):
        depth += (token.text == "{") - (token.text == "}")
        if token.text != "__shared__" or _in_directive(text, token.start):
            continue
        first = at
        while first and (all_tokens[first - 1].text in _QUALIFIERS or _aligns(all_tokens, first) is not None):
            first = first - 1 if all_tokens[first - 1].text in _QUALIFIERS else _aligns(all_tokens, first) or 0
        end = at
        while end < len(all_tokens) and all_tokens[end].text != ";":
            end = _closing(all_tokens, end) + 1 if all_tokens[end].text in _CLOSING else end + 1
        line = text.count("\n", 0, token.start) + 1
        if end >= len(all_tokens) or not depth:
            what = "stands outside every function" if end < len(all_tokens) else "has no end"
            raise KernelError("emulator", f"{name}:{line}", "__shared__ declarations inside a function", f"one that {what}",
                              "Declare it in the kernel, where it is used")  # fmt: skip
        whole = text[all_tokens[first].start : all_tokens[end].end]
        declared = [*all_tokens[first:at], *all_tokens[at + 1 : end]]
        pieces += [text[copied : all_tokens[first].start], _declaration(text, declared, f"{name}:{line}", whole)]
        pieces.append("\n" * whole.count("\n"))
        copied = all_tokens[end].end
    return "".join([*pieces, text[copied:]])


def _in_directive(text: str, at: int) -> bool:
    """Whether a place is in a line of the preprocessor's: a macro is rewritten by nobody."""
    start = text.rfind("\n", 0, at) + 1
    return text[start:at].lstrip().startswith("#define")


def _aligns(all_tokens: list[Token], end: int) -> int | None:
    """Where ``__align__(16)`` begins that ends just before a token."""
    if all_tokens[end - 1].text != ")":
        return None
    depth = 0
    for at in range(end - 1, 0, -1):
        depth += (all_tokens[at].text == ")") - (all_tokens[at].text == "(")
        if depth == 0:
            return at - 1 if all_tokens[at - 1].text in _ALIGNING else None
    return None


def _declaration(text: str, declared: list[Token], where: str, whole: str) -> str:
    alignment, left = "", []
    at = 0
    while at < len(declared):
        if declared[at].text in _ALIGNING:
            end = _closing(declared, at + 1)
            alignment = text[declared[at + 2].start : declared[end - 1].end]
            at = end
        else:
            left.append(declared[at])
        at += 1
    external = any(token.text == "extern" for token in left)
    left = [token for token in left if token.text not in ("extern", "static")]
    parts = list(_split(left))
    start = _declarator(parts[0]) if parts else None
    if start is None:
        raise KernelError("emulator", where, "a declaration like __shared__ float tile[32][33];", " ".join(whole.split()),
                          "Write each shared array as a plain declaration")  # fmt: skip
    kind = text[parts[0][0].start : parts[0][start - 1].end]
    declarators = [parts[0][start:], *parts[1:]]
    if external:
        name = declarators[0][0].text
        return (
            f'static constexpr ::emulator::SharedArray {name}_shared{{"{name}", 0, 0, ::emulator::shape_of<{kind}[]>()}}; '
            f"{kind}* {name} = static_cast<{kind}*>(::emulator::dynamic_shared({name}_shared));"
        )
    lines = []
    for pieces in declarators:
        name = pieces[0].text
        sizes = text[pieces[1].start : pieces[-1].end] if len(pieces) > 1 else ""
        aligned = alignment or f"alignof({name}_shared_type)"
        lines.append(
            f"typedef {kind} {name}_shared_type{sizes}; "
            f'static constexpr ::emulator::SharedArray {name}_shared{{"{name}", sizeof({name}_shared_type), {aligned}, '
            f"::emulator::shape_of<{name}_shared_type>()}}; "
            f"{name}_shared_type& {name} = *static_cast<{name}_shared_type*>(::emulator::shared_array({name}_shared));"
        )
    return " ".join(lines)


def _declarator(part: list[Token]) -> int | None:
    """Where in ``unsigned int tile[4]`` the name begins: the last word before a bracket or the end."""
    angle = 0
    for at, token in enumerate(part):
        if token.text == "<":
            angle += 1
        elif token.text == ">":
            angle -= 1
        following = part[at + 1].text if at + 1 < len(part) else "["
        if at and angle == 0 and token.kind == "word" and following == "[":
            return at
    return None


_UNROLL = re.compile(r"^([ \t]*)#[ \t]*pragma[ \t]+unroll[ \t]*\(?[ \t]*(\d*)[ \t]*\)?[ \t]*$", re.MULTILINE)


def with_unrolling(text: str) -> str:
    """CUDA's ``#pragma unroll`` in g++'s words; with a count that is no plain number it is left, and g++ passes over it.

    Example:
        >>> with_unrolling("#pragma unroll\\n#pragma unroll 4\\n#pragma unroll N")
        '#pragma GCC unroll 64\\n#pragma GCC unroll 4\\n#pragma unroll N'
    """
    return _UNROLL.sub(lambda found: f"{found[1]}#pragma GCC unroll {found[2] or 64}", text)

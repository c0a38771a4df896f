"""The CUDA C++ text of a program: a ``.cu`` file of a kernel family, with the ``.cuh`` files that it includes.

They are those of this folder, and those of the family's own.

NVRTC is given one text and no path, so that nothing but the text decides what is compiled. An include is therefore put in place
here, once each, and ``#line`` says from which file and line the rest comes: compile errors and the emulator's findings name the
file that a person edits.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from minigrad.errors import KernelError

FAMILIES = Path(__file__).parent.parent  # the folder ``kernels``
SHARED = Path(__file__).parent
COOPERATIVE_GROUPS = "<cooperative_groups.h>"  # the one header of CUDA's that the emulator has; CuPy finds the toolkit's
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"\n]+)"|(<[^>\n]+>))[ \t]*(?://.*)?$', re.M)


@cache
def source(name: str) -> str:
    """The whole text of a program.

    Args:
        name: its path below ``kernels``, as in ``"random/philox.cu"``; or the absolute path of a user's own file.

    Raises:
        KernelError: a file that is not there, or an include of something that is none of ours.

    Example:
        >>> source("random/philox.cu").splitlines()[0]
        '#line 1 "random/philox.cu"'
    """
    return text_of(Path(name) if Path(name).is_absolute() else FAMILIES / name, name)


def text_of(path: Path, name: str) -> str:
    """The whole text of a program, read anew.

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        KernelError: as for :func:`source`.
    """
    return _with_includes(path, name, set())


def line_of(text: str, file: str, number: int) -> str:
    """Line ``number`` of ``file`` in a program's text, without the blanks around it; or nothing.

    Example:
        >>> line_of('#line 1 "a.cu"\\nint a;\\n#line 5 "b.cuh"\\n  int b;', "b.cuh", 5)
        'int b;'
    """
    at, here = 0, ""
    for line in text.split("\n"):
        mark = re.match(r'#line (\d+) "([^"]+)"', line)
        if mark:
            at, here = int(mark[1]), mark[2]
            continue
        if (here, at) == (file, number):
            return line.strip()
        at += 1
    return ""


def _with_includes(path: Path, name: str, seen: set[str]) -> str:
    try:
        text = _without_dead_parts(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise KernelError("cuda", name, "a file of CUDA C++ text", f"none that can be read ({error})") from None

    def placed(match: re.Match[str]) -> str:
        number = text.count("\n", 0, match.start()) + 1
        wanted = match[1]
        if match[2] == COOPERATIVE_GROUPS:
            return match[0]
        file = SHARED / (wanted or "")
        if not file.is_file() and path.is_relative_to(FAMILIES):
            file = path.parent / (wanted or "")
        if not file.is_file() or file.suffix != ".cuh":
            there = ", ".join(sorted(each.name for each in SHARED.glob("*.cuh")))
            got = match[2] or f'"{wanted}"'
            raise KernelError(
                "cuda", f"{name}:{number}", f"an include of a file of kernels/cuda ({there}) or {COOPERATIVE_GROUPS}", got
            )
        if wanted in seen:
            return f'#line {number + 1} "{name}"'
        seen.add(wanted)
        inner = _with_includes(file, wanted if file.parent == SHARED else f"{path.parent.name}/{wanted}", seen)
        return f'{inner}\n#line {number + 1} "{name}"'

    return f'#line 1 "{name}"\n' + _INCLUDE.sub(placed, text)


def _without_dead_parts(text: str) -> str:
    """Blank lines where ``#if 0`` stands: a kernel there is none.

    Example:
        >>> _without_dead_parts("#if 0\\n#if A\\nb\\n#endif\\n#else\\nc\\n#endif")
        '#if 0\\n\\n\\n\\n#else\\nc\\n#endif'
    """
    lines, depth = [], 0  # of conditions inside a dead part, itself counted
    for line in text.split("\n"):
        words = re.match(r"[ \t]*#[ \t]*(if|else|elif|endif)\w*[ \t]*(\S*)", line)
        said = words[1] if words else ""
        if depth == 1 and said in ("else", "elif", "endif"):
            depth = 0
        elif depth and said in ("if", "endif"):
            depth += 1 if said == "if" else -1
        lines.append("" if depth else line)
        if not depth and words and said == "if" and words[2] == "0":
            depth = 1
    return "\n".join(lines)

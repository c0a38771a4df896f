"""Reading a GPU's machine code: which instructions a kernel is made of.

nvdisasm writes one instruction a line, with labels where branches go. What the instructions do is listed for each generation
in NVIDIA's manual of the binary utilities, "Instruction Set Reference".
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_SECTION = re.compile(r"^\s*\.section\s+\.text\.(\S+?),")
_LABEL = re.compile(r"^([.$\w]+):")
_SOURCE = re.compile(r'^\s*//## File "([^"]*)", line (\d+)')
_INSTRUCTION = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?P\w+)\s+)?([A-Z][\w.]*)\s*([^;]*);")
_WIDTH = re.compile(r"\.(?:[SU]?(8|16)|(64|128|256))\b")
MEMORY = ("LDG", "STG", "LDS", "LDSM", "STS", "LDGSTS", "LDL", "STL", "LD", "ST")
# Which word of a report an instruction falls under, by its name without what follows the first point.
WORDS = {
    "integer": """BMSK BREV FLO IABS IADD IADD3 IADD32I IDP IMAD IMNMX IMUL ISCADD ISETP LEA LEPC LOP LOP3 P2R PLOP3 POPC R2P
        SGXT SHF SHL SHR VIADD VIADDMNMX VIMNMX VIMNMX3""",
    "move": "B2R CS2R FSEL MOV MOV32I P2UR PRMT R2B R2UR S2R S2UR SEL UP2UR",
    "constant": "LDC LDCU",
    "branch": "BMOV BRA BREAK BRX BSSY BSYNC CALL ELECT EXIT JMP JMX NANOSLEEP RET RPCMOV WARPSYNC YIELD",
    "barrier": "BAR CCTL CCTLL DEPBAR ERRBAR FENCE LDGDEPBAR MEMBAR SYNCS",
    "convert": "F2F F2FP F2I F2IP FRND I2F I2FP I2I",
    "compare": "DSETP FCHK FMNMX FMNMX3 FSET FSETP HSETP2",
    "atomic": "ATOM ATOMG ATOMS CREDUX RED REDG REDUX",
}
_WORD = {name: word for word, names in WORDS.items() for name in names.split()}


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: with what follows its points: ``LDG.E.128.CONSTANT``.
        operands: as nvdisasm writes them.
        always: whether it is done whatever predicates say.
        line: of the source; 0 where none is known.
        labels: those that stand before it.
    """

    name: str
    operands: str = ""
    always: bool = True
    line: int = 0
    file: str = ""
    labels: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """Its name up to the first point."""
        return self.name.partition(".")[0]

    @property
    def width(self) -> int:
        """Bits that a thread loads or stores by it."""
        if self.base == "LDSM":  # so many matrices, of each of which a thread gets 32 bits
            return 32 * int(self.name.rpartition(".")[2]) if self.name[-1:].isdigit() else 32
        found = _WIDTH.search(self.name)
        return int(found[1] or found[2]) if found else 32

    @property
    def word(self) -> str:
        """What a report counts it as.

        Example:
            >>> Instruction("LDG.E.128.CONSTANT").word, Instruction("IMAD.MOV.U32").word, Instruction("IMAD.WIDE").word
            ('LDG.128', 'move', 'integer')
        """
        if self.base in MEMORY:
            return f"{self.base}.{self.width}"
        if self.name.startswith("IMAD.MOV") or (self.base == "HFMA2" and "-RZ, RZ" in self.operands):
            return "move"  # by a unit that happens to be free
        plain = self.base.removesuffix("2") if self.base in ("FFMA2", "FMUL2", "FADD2") else self.base  # two at once
        return _WORD.get(plain) or _WORD.get(plain.removeprefix("U"), plain)  # U: done once for a warp

    @property
    def helper(self) -> str:
        """The subroutine that it calls, as in ``div_s64``; or nothing. A call of a mere label is a branch."""
        found = re.search(r"\((?:\$__internal_\d+_\$__cuda_sm\d+x?_)?([^.)][^)]*)\)", self.operands)
        return found[1] if found and self.base == "CALL" else ""

    @property
    def divides(self) -> bool:
        """Whether it stands for an integer division: the reciprocal that one begins with, or a call of 64 bits' subroutine."""
        return (self.base in ("I2F", "UI2F") and ".RP" in self.name) or self.helper.startswith(("div_s", "div_u", "rem_"))


@dataclass(frozen=True)
class Loop:
    """A loop, or the whole of a kernel that has none.

    Attributes:
        counts: how many instructions there are of each word; loops inside are counted as if they ran once.
        divisions: integer divisions among them.
        calls: the subroutines that are called.
        line: of the source, where it goes back to its beginning; 0 for the whole of a kernel.
        file: the source's file.
    """

    counts: dict[str, int]
    divisions: int = 0
    calls: tuple[str, ...] = ()
    line: int = 0
    file: str = ""

    @property
    def size(self) -> int:
        """Instructions in it."""
        return sum(self.counts.values())

    def share(self, word: str) -> float:
        """The share that one word has of all instructions.

        Example:
            >>> Loop({"FFMA": 3, "LDS.128": 1}).share("FFMA")
            0.75
        """
        return self.counts.get(word, 0) / max(1, self.size)

    def wide(self, *kinds: str) -> float | None:
        """The share of bytes that come by 128 bits or more at once; ``None`` where nothing is loaded.

        Example:
            >>> Loop({"LDG.128": 1, "LDG.32": 4}).wide("LDG")
            0.5
        """
        widths = Counter[int]()
        for word, count in self.counts.items():
            kind, _, width = word.partition(".")
            if kind in kinds:
                widths[int(width)] += count * int(width)
        total = sum(widths.values())
        return sum(bits for width, bits in widths.items() if width >= 128) / total if total else None


def kernels(text: str) -> dict[str, list[Instruction]]:
    """The instructions of each kernel in what nvdisasm wrote."""
    found: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    labels: list[str] = []
    file, line = "", 0
    for row in text.splitlines():
        if section := _SECTION.match(row):
            current, labels, line = found.setdefault(section[1], []), [], 0
        elif source := _SOURCE.match(row):
            file, line = source[1].rpartition("/")[2], int(source[2])
        elif label := _LABEL.match(row):
            labels.append(label[1])
        elif one := _INSTRUCTION.match(row):
            current.append(Instruction(one[3], one[4].strip(), one[2] in (None, "PT"), line, file, tuple(labels)))
            labels = []
    return found

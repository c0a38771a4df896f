"""Every pair of operands (seven dtypes with dimensions and without, three kinds of Python number) and what PyTorch makes of it.

``python -m tests.promotion`` records PyTorch's answers (needs the peer extra).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from tests.harness import RECORDED

PATH = RECORDED / "promotion.json"
DTYPES = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")
NUMBERS = {"True": True, "1": 1, "1.0": 1.0}
OPERANDS = (*[f"{dtype} {form}" for dtype in DTYPES for form in ("row", "none")], *NUMBERS)
REFUSED, ABSENT = "refused", "-"

RULES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "result_type": lambda m, a, b: m.result_type(a, b),
    "add": lambda m, a, b: a + b,
    "sub": lambda m, a, b: a - b,
    "mul": lambda m, a, b: a * b,
    "div": lambda m, a, b: a / b,
    "floor_divide": lambda m, a, b: a // b,
    "remainder": lambda m, a, b: a % b,
    "pow": lambda m, a, b: a**b,
    "lt": lambda m, a, b: a < b,
    "eq": lambda m, a, b: a == b,
    "bitwise_and": lambda m, a, b: a & b,
    "maximum": lambda m, a, b: m.maximum(a, b),
    "atan2": lambda m, a, b: m.atan2(a, b),
    "xlogy": lambda m, a, b: m.xlogy(a, b),
    "where": lambda m, a, b: m.where(m.tensor([True]), a, b),
    "clamp": lambda m, a, b: m.clamp(a, b),
    "addcmul": lambda m, a, b: m.addcmul(a, b, b),
}


def pairs(rule: str) -> list[tuple[str, str]]:
    """All pairs that have a meaning: two Python numbers only for ``result_type`` and ``where``."""
    both = rule in ("result_type", "where")
    return [(a, b) for a in OPERANDS for b in OPERANDS if both or a not in NUMBERS or b not in NUMBERS]


def operand(m: Any, name: str) -> Any:
    """A 1 of that kind."""
    if name in NUMBERS:
        return NUMBERS[name]
    dtype, form = name.split()
    return m.tensor([1] if form == "row" else 1, dtype=getattr(m, dtype))


def answer(m: Any, rule: str, a: str, b: str) -> str:
    """The dtype of the result, or that it is refused."""
    first, second = operand(m, a), operand(m, b)
    try:
        found = RULES[rule](m, first, second)
    except (TypeError, ValueError, RuntimeError):  # PyTorch's kinds of refusal, and ours
        return REFUSED
    return str(getattr(found, "dtype", found)).removeprefix("torch.")


def answers(m: Any) -> dict[tuple[str, str, str], str]:
    """Every rule for every pair."""
    return {(rule, a, b): answer(m, rule, a, b) for rule in RULES for a, b in pairs(rule)}


def recorded() -> dict[tuple[str, str, str], str]:
    """PyTorch's answers as they were recorded: for each rule and first operand a row, in the order of ``OPERANDS``."""
    rows = json.loads(PATH.read_text())
    return {
        (rule, a, b): dtype
        for rule, firsts in rows.items()
        for a, row in firsts.items()
        for b, dtype in zip(OPERANDS, row.split(), strict=True)
        if dtype != ABSENT
    }


def main() -> None:
    import torch

    found = answers(torch)
    rows = {rule: {a: " ".join(found.get((rule, a, b), ABSENT) for b in OPERANDS) for a in OPERANDS} for rule in RULES}
    PATH.write_text(json.dumps(rows, indent=0) + "\n")
    sys.stdout.write(f"{PATH}\n")


if __name__ == "__main__":
    main()

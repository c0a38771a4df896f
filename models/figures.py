"""What is told of how well a model foretells a text: nats, bits and perplexity, computed and worded here alone."""

from __future__ import annotations

import math
from typing import NamedTuple

BIT = math.log(2)  # in nats


class Figures(NamedTuple):
    """A loss, and what else is said of it.

    Attributes:
        loss: nats per character: the mean of -ln of the probabilities that the characters were given, the cross-entropy.
        unit: ``"character"`` or ``"byte"``: what the mean is of.

    Example:
        >>> figures = Figures(2.0)
        >>> figures.words
        'loss 2.0000 nats per character, 2.8854 bits, perplexity 7.389'
        >>> Figures(math.inf, "byte").plain
        {'loss': None, 'bits': None, 'perplexity': None}
    """

    loss: float
    unit: str = "character"

    @property
    def bits(self) -> float:
        """The loss in bits."""
        return self.loss / BIT

    @property
    def perplexity(self) -> float:
        """Among how many equally likely characters the model is as uncertain: e to the loss; inf beyond all floats."""
        return math.exp(self.loss) if not self.loss >= 700 else math.inf

    @property
    def words(self) -> str:
        """All three, on a line."""
        return f"loss {self.loss:.4f} nats per {self.unit}, {self.bits:.4f} bits, perplexity {self.perplexity:.3f}"

    @property
    def plain(self) -> dict[str, float | None]:
        """All three by name, as JSON takes them: ``None`` where one is no number, or infinite."""
        values = {"loss": self.loss, "bits": self.bits, "perplexity": self.perplexity}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    def headline(self, part: str = "") -> dict[str, str]:
        """All three as the head of a page has them.

        Args:
            part: of what the loss is: ``"test"``.

        Example:
            >>> Figures(2.0).headline("test")
            {'test loss, nats per character': '2.0000', 'bits per character': '2.8854', 'perplexity': '7.389'}
        """
        return {
            f"{part} loss, nats per {self.unit}".lstrip(): f"{self.loss:.4f}",
            f"bits per {self.unit}": f"{self.bits:.4f}",
            "perplexity": f"{self.perplexity:.3f}",
        }

"""When a text is written: what the window sees, the pen, and what the network says of the end, taken together.

B texts of up to U letters; T steps.
"""

from __future__ import annotations

import numpy as np

from minigrad.models.handwriting import State

FAINT = 0.01  # weight of a letter: where none has more, the window has left the text
LEFT = 0.25  # of the strongest weight of a letter: less right after a lift, and none follows (set on held-out texts of hershey)
HEARD = 0.1  # chance that it was the end, as the network said at lifts since the last letter: below it there are dots to be set
BEYOND = 8.0  # letters behind the end where writing stops though the network never said so: dots and bars are set on the way


def has_left(
    seen: np.ndarray, ends: np.ndarray, strongest: np.ndarray, lifted: np.ndarray, unheard: np.ndarray, step: int
) -> np.ndarray:
    """Whether the window has left each text: it saw the last letter, the pen was lifted, and now sees none well.

    Right after a lift it sees the letter that is written next better than at any other time. But who sets the dots of a word
    when it is written, and the bars, has left its letters too: the network then says at each lift that more follows.

    Args:
        seen: (T, B, U), weights of letters up to this step.
        ends: letters of each text.
        strongest: of the weights that letters of each text have had.
        lifted: whether the pen was lifted after the last point.
        unheard: of each text, the chance of which the network said at lifts since the last letter that none was the last.
        step: this one.

    Example:
        >>> seen = np.array([[[0.9]], [[0.9]], [[0.1]]])
        >>> [has_left(seen, *(np.array([x]) for x in (1, 0.9, 1, unheard)), 2).item() for unheard in (0.5, 1.0)]
        [True, False]
    """
    if step < 2:
        return np.zeros(len(ends), bool)
    left = (lifted > 0) & arrived(seen[step - 1], ends) & (seen[step].max(axis=1) < LEFT * strongest)
    return left & (unheard <= 1 - HEARD)


def is_over(weights: np.ndarray, ends: np.ndarray, state: State, last: np.ndarray, step: int) -> np.ndarray:
    """Whether each text is written: the network said so, and the window has come to the last letter.

    A text has two points at least. Where all bells are well beyond the end, the network need not have said so.

    Args:
        weights, ends: as for ``arrived``.
        state: of the network, which has the places of the bells.
        last: whether the network said of each text that nothing follows.
        step: this one.
    """
    if step < 1:
        return np.zeros(len(ends), bool)
    beyond = state.kappa.cpu().numpy().min(axis=1) > ends + BEYOND
    return ((last > 0) & arrived(weights, ends)) | beyond


def arrived(weights: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether the window sees the last letter of each text above all, or nothing more.

    Args:
        weights: (B, U), of letters at a step.
        ends: letters of each text, (B,).

    Example:
        >>> arrived(np.array([[0.1, 0.9], [0.9, 0.1], [0.0, 0.0]]), np.array([2, 2, 2])).tolist()
        [True, False, True]
    """
    return (weights.argmax(axis=1) == ends - 1) | (weights.max(axis=1) < FAINT)

"""What a report page shows of a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minigrad.models.imagined import beside
from minigrad.show.film import film_png
from minigrad.show.pictures import image_grid

if TYPE_CHECKING:
    from minigrad.models.gan import Gan
    from minigrad.show.page import Page

GRID = 64  # images made
EACH = 10  # images of a class, in a row, and
CLASSES = 20  # classes at most
ROWS, STEPS = 4, 9  # ways from one image to another, and images on each
BESIDE = 8  # images with the nearest of the data
WIDE = 480  # pixels that a row of images has, about
SEED = 1


def add_generator(page: Page, task: Gan) -> None:
    """Add the sections that show what a generator makes, how far that is from the data, and how it came to it.

    Args:
        page: the page.
        task: with the best weights loaded.
    """
    found = task.measure()
    page.headline(
        {
            "Fréchet distance": f"{found['frechet']:.2f}",
            "of two halves of the data": f"{task.judge.own().halves:.2f}",
            "diversity, of the data's": f"{found['diversity']:.0%}",
        }
    )
    told = f"In the features of a small network that learned from the same images {task.judge.kind}"
    page.text(f"{told}: distances in other features do not compare. The less the better.")
    if "kinds" in found:
        page.text(f"What is made is spread as if among {found['kinds']:.1f} of {len(task.judge.classes)} classes.")
    made, card = task.imaginer, task.card
    page.section("What it makes", "None of these was chosen.")
    if card.classes:
        kinds = card.classes[:CLASSES]
        labels = np.repeat(np.arange(len(kinds)), EACH)
        images = made.make(made.noise(len(labels), seed=SEED), labels)
        caption = f"A row for each class: {', '.join(kinds)}"
        page.picture(image_grid(images, columns=EACH, scale=_scale(card.shape, EACH)), caption, "made images")
    else:
        images = made.make(made.noise(GRID, seed=SEED))
        page.picture(image_grid(images, columns=8, scale=_scale(card.shape, 8)), alt="made images")
    page.section("From one to another", "Each row goes from one point of the noise to another.")
    page.picture(_ways(task), alt="images between images")
    page.section(
        "Learned by heart?", "Left of each pair an image that was made, right the image of the data that differs least."
    )
    _add_nearest(page, task)
    page.section("A film of the learning", "The same noise at each evaluation.")
    page.picture(film_png(list(task.film.frames.values()), scale=_scale(card.shape, 4)), alt="a film of the learning")
    page.section("Data")
    for line in task.data.policy:
        page.text(line)


def _ways(task: Gan) -> bytes:
    made, card = task.imaginer, task.card
    points = made.noise(2 * ROWS, seed=SEED)
    noise = np.concatenate([made.between(points[2 * row : 2 * row + 2], STEPS - 1) for row in range(ROWS)])
    labels = made.labels(ROWS)
    images = made.make(noise, None if labels is None else np.repeat(labels, STEPS))
    return image_grid(images, columns=STEPS, scale=_scale(card.shape, STEPS))


def _add_nearest(page: Page, task: Gan) -> None:
    made, train = task.imaginer, task.data.train
    images = made.make(made.noise(GRID, seed=SEED), made.labels(GRID))
    found = beside(images, train)
    pairs = np.stack((images[:BESIDE], train.pixels(found.where[:BESIDE])), 1).reshape(-1, *images.shape[1:])
    picture = image_grid(pairs, columns=BESIDE, scale=_scale(task.card.shape, BESIDE))
    page.picture(picture, alt="images with the nearest of the data")
    page.text(
        f"An image that was made differs from the nearest of the data by {found.median:.3f} (the median of {GRID}; root of "
        f"the mean square, of a scale from 0 to 1), an image of the data from the nearest other one by {found.usual:.3f}. "
        "Far less would mean copies."
    )


def _scale(shape: tuple[int, int, int], columns: int) -> int:
    return max(1, round(WIDE / (columns * shape[2])))

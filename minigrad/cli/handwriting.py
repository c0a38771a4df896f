"""What ``minigrad eval`` does with a hand."""

from __future__ import annotations

from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading


def evaluate(model: str, data: str | None, json: bool) -> None:
    """Tell how likely a hand thinks strokes: nats per point and per sequence, with the scale that they are of."""
    from minigrad.models.handwriting_data import to_measure
    from minigrad.models.scribe import Scribe
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    config = Trained.open(model).config("handwriting")
    scribe = Scribe.load(model)
    with reading() as report:
        parts, what = to_measure(config, data, report)
    found = scribe.judge(*parts, track=lambda batches: track(batches, describe="evaluating", unit="batches"))
    if json:
        say_json(
            {
                "data": what,
                "sequences": found.sequences,
                "points": found.points,
                "nats_per_point": found.per_point,
                "nats_per_sequence": found.per_sequence,
                "scale": found.scale,
                "nats_per_point_unscaled": found.per_point_unscaled,
            }
        )
        return
    say(f"{what}: {found.sequences:,} sequences, {found.points:,} points")
    say(f"loss {found.per_point:.4f} nats per point, {found.per_sequence:.2f} nats per sequence")
    say(f"of offsets divided by {found.scale:.4g}; undivided, {found.per_point_unscaled:.4f} nats per point")

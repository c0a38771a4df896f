"""Record what pycocotools makes of some polygons, for tests/test_masks.py: python tests/record_masks.py, where it is there."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco


def main() -> None:
    rng = np.random.default_rng(0)
    for number in range(24):
        height, width = (int(side) for side in rng.integers(3, 24, 2))
        corners = int(rng.integers(3, 7))
        low, high = ((-8, 30), (0, 20), (-2, 24))[number % 3]
        polygon = rng.uniform(low, high, 2 * corners)
        polygon = polygon.round(1) if number % 2 else polygon.round()
        code = coco.merge(coco.frPyObjects([polygon.tolist()], height, width))["counts"].decode()
        print(f"    ({polygon.tolist()}, {height}, {width}, {code!r}),")


if __name__ == "__main__":
    main()

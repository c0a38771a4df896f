"""A detector of objects in two stages: where something may be, and then what it is, where exactly, and which pixels.

The road to it: R-CNN (Girshick et al. 2013, arXiv:1311.2524) cut regions out of an image and gave each to a network. Fast
R-CNN (Girshick 2015, arXiv:1504.08083) makes one map of the whole image and cuts regions out of the map. Faster R-CNN (Ren et
al. 2015, arXiv:1506.01497) lets a small network on the map propose the regions. Feature pyramids (Lin et al. 2016,
arXiv:1612.03144) give large objects coarse maps and small ones fine maps. Mask R-CNN (He et al. 2017, arXiv:1703.06870) cuts
regions out without rounding (RoIAlign), and has a head for masks.

What learns is in ``detector_layers``: a backbone (in ``trunk`` one that knows photos), a pyramid, proposals, a head for classes
and boxes, and one for masks. Here is what they learn from, and how an answer comes out of them. Three steps can be left out, to
see what they are worth: ``strides`` of one level, ``stages=1``, ``pooling="rounded"``.

Shapes: N images, C channels, H x W pixels, K classes without the background, R regions of all images. Boxes are (x1, y1, x2,
y2) in pixels, float32; the background is class 0 inside, and no class outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError, RunError
from minigrad.models.anchors import UNSURE, differences, grid, matched, moved, sampled
from minigrad.models.detector_layers import MASK_SIDE, SIDE, STRIDES, BoxHead, MaskHead, Proposer, Pyramid, Residual
from minigrad.models.trunk import Trunk
from minigrad.nn.checks import check_choice, check_counts
from minigrad.ops.boxes import batched_nms, roi_align

POOLING = ("aligned", "rounded")
RESIDUAL = "residual"  # the backbone that begins with nothing
RATIOS = (0.5, 1.0, 2.0)
PROPOSED, FINAL = (1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)  # weights of the differences of both stages
NEAR, FAR = 0.7, 0.3  # overlaps of anchors that stand for a box, and for nobody
RIGHT = 0.5  # overlap of a region that stands for a box
ASKED, SOME = 128, 0.5  # anchors of an image, and the share of them that stands for a box
REGIONS, PART = 64, 0.25  # regions of an image that are learned from, and the same
BEFORE, KEPT_TO_LEARN, KEPT = 600, 300, 150  # proposals of a level before those that overlap go, and of an image after
SAME = 0.7  # overlap from which on two proposals are one
BETA = 1 / 9  # of the smooth L1 loss of the first stage: below it differences count as squares


class Target(NamedTuple):
    """What is on an image.

    Attributes:
        boxes: float32 (n, 4).
        labels: int64 (n,), from 0.
        masks: bool (n, H, W), or ``None``.
        ignored: bool (n,), which of them nobody learns from or is judged by, such as crowds; ``None``: none.
    """

    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None
    ignored: np.ndarray | None = None

    def split(self) -> tuple[Target, np.ndarray]:
        """Those that count, and the boxes of the others."""
        if self.ignored is None or not self.ignored.any():
            return self._replace(ignored=None), np.zeros((0, 4), np.float32)
        kept = ~self.ignored
        masks = None if self.masks is None else self.masks[kept]
        return Target(self.boxes[kept], self.labels[kept], masks), self.boxes[self.ignored]


class Found(NamedTuple):
    """What was found on an image, the surest first.

    Attributes:
        boxes: float32 (n, 4).
        labels: int64 (n,), from 0.
        scores: float32 (n,), chances.
        masks: float32 (n, 28, 28), the chance of each cell of the box to belong to the object; ``None`` without the head.
        proposals: float32 (r, 4), the regions that were looked at, the likeliest first; ``None`` where there is one stage, or
            several images were put together.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    masks: np.ndarray | None = None
    proposals: np.ndarray | None = None


class Detector(nn.Module):
    """Finds objects of K classes on images of any size.

    Args:
        num_classes: K.
        in_channels: C of the images.
        sizes: the root of the area of the anchors of each level, in pixels.
        strides: of the levels, as many, one after the other from ``STRIDES``.
        width: channels of the backbone's first stage.
        channels: of the pyramid's maps.
        hidden: size of the layers of the head for classes.
        blocks: residual blocks of each stage of the backbone.
        masks: whether there is a head for masks.
        stages: 1: the anchors themselves are told apart by class, and nothing comes after that.
        pooling: how regions are cut out of a map: ``"aligned"`` between its cells, or ``"rounded"`` to whole ones.
        network: the backbone: ``"residual"``, or a classifier of photos, one of ``minigrad.models.trunk.TRUNKS``.

    Raises:
        ArgumentError: arguments out of range, or that do not go together.

    Example:
        >>> net = Detector(3, sizes=(16, 32), strides=(4, 8), width=8, channels=8, hidden=16).eval()
        >>> found = net.detect(minigrad.zeros(2, 3, 32, 48))
        >>> len(found), found[0].boxes.shape[1]
        (2, 4)
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        sizes: Sequence[float] = (16, 32, 64),
        strides: Sequence[int] = (4, 8, 16),
        width: int = 32,
        channels: int = 64,
        hidden: int = 256,
        blocks: int = 1,
        masks: bool = False,
        stages: int = 2,
        pooling: str = "aligned",
        network: str = RESIDUAL,
    ) -> None:
        super().__init__()
        check_counts("Detector", 1, num_classes=num_classes, in_channels=in_channels, width=width, channels=channels)
        check_counts("Detector", 1, hidden=hidden, blocks=blocks)
        check_choice("Detector", "pooling", pooling, POOLING)
        first = STRIDES.index(strides[0]) if len(strides) and strides[0] in STRIDES else -1
        if first < 0 or tuple(strides) != STRIDES[first : first + len(strides)]:
            expected = f"some of {STRIDES}, one after the other"
            raise ArgumentError("Detector", "strides", expected, repr(strides))
        if len(sizes) != len(strides) or not all(size > 0 for size in sizes):
            expected = f"{len(strides)} sizes in pixels, one for each stride"
            raise ArgumentError("Detector", "sizes", expected, repr(sizes))
        if stages not in (1, 2) or (stages == 1 and masks):
            expected = "1 or 2, and 2 with masks"
            raise ArgumentError("Detector", "stages", expected, repr(stages))
        self.num_classes, self.sizes, self.strides = num_classes, tuple(sizes), tuple(strides)
        self.stages, self.pooling = stages, pooling
        backbone = (
            Residual(in_channels, width, strides, blocks)
            if network == RESIDUAL
            else Trunk(network, in_channels, width, strides, blocks)
        )
        self.pyramid = Pyramid(backbone, channels)
        self.proposer = Proposer(channels, len(RATIOS), 1 if stages == 2 else num_classes)
        self.box_head = BoxHead(channels, num_classes, hidden) if stages == 2 else None
        self.mask_head = MaskHead(channels, num_classes) if masks else None

    @property
    def multiple(self) -> int:
        """What the sides of images have to be multiples of."""
        return self.strides[-1]

    def anchors(self, shape: tuple[int, int]) -> list[np.ndarray]:
        """Those of each level for images of (H, W) pixels, float32 (h w A, 4)."""
        return [
            grid((shape[0] // stride, shape[1] // stride), stride, size, RATIOS)
            for stride, size in zip(self.strides, self.sizes)
        ]

    # ------------------------------------------------------------------ learning

    def losses(
        self, images: Tensor, targets: Sequence[Target], sizes: Sequence[tuple[int, int]], generator: Any = None
    ) -> dict[str, Tensor]:
        """How wrong the network is: ``objects``, ``places`` of the first stage, ``labels``, ``boxes``, ``masks`` of the second.

        Images without boxes teach what is nothing. All are finite for any finite images and boxes of some area.

        Args:
            images: (N, C, H, W), H and W multiples of ``multiple``.
            targets: what is on each.
            sizes: (height, width) of each in that memory: what is beyond was filled up.
            generator: by which anchors and regions are drawn: minigrad's, or NumPy's.
        """
        counted = [target.split() for target in targets]
        targets, ignored = [each for each, _ in counted], [boxes for _, boxes in counted]
        maps = self.pyramid(images)
        scores, steps = self.proposer(maps)
        anchors = self.anchors(tuple(images.shape[2:]))
        together = np.concatenate(anchors)
        losses = self._first_losses(scores, steps, together, targets, ignored, sizes, generator)
        if self.box_head is None:
            return losses
        proposals = self._proposals(scores, steps, anchors, sizes, KEPT_TO_LEARN)
        regions, labels, wanted, owners, hits = [], [], [], [], []
        for number, (target, own, left_out) in enumerate(zip(targets, proposals, ignored)):
            own = np.concatenate([own, target.boxes])  # so that there are good ones from the beginning
            match = matched(target.boxes, own, RIGHT, RIGHT, ignored=left_out)
            some, none = sampled(match, REGIONS, PART, _order(len(own), generator))
            chosen = np.concatenate([some, none])
            regions.append(own[chosen])
            owners.append(np.full(len(chosen), number))
            labels.append(np.concatenate([target.labels[match[some]] + 1, np.zeros(len(none), np.int64)]))
            wanted.append(differences(target.boxes[match[some]], own[some], FINAL))
            hits.append(match[some])
        boxes, owner, label = np.concatenate(regions), np.concatenate(owners), np.concatenate(labels)
        if not len(boxes):
            return losses
        logits, moves = self.box_head(self._cut_out(maps, boxes, owner, SIDE))
        where = images.device
        losses["labels"] = F.cross_entropy(logits, minigrad.tensor(label, device=where))
        found = np.flatnonzero(label)
        goal = np.concatenate(wanted)
        if len(found):
            mine = moves.index_select(0, minigrad.tensor(found, device=where))
            losses["boxes"] = F.smooth_l1_loss(mine, minigrad.tensor(goal, device=where), reduction="sum") / len(boxes)
        if self.mask_head is not None:
            losses |= self._mask_loss(maps, boxes[found], owner[found], label[found] - 1, targets, hits)
        return losses

    def _first_losses(
        self,
        scores: Tensor,
        steps: Tensor,
        anchors: np.ndarray,
        targets: Sequence[Target],
        ignored: Sequence[np.ndarray],
        sizes: Any,
        generator: Any,
    ) -> dict[str, Tensor]:
        """Those of the first stage: of some anchors of each image."""
        asked, right, placed, goals, kinds = [], [], [], [], []
        middle = (anchors[:, :2] + anchors[:, 2:]) / 2
        for number, (target, left_out, size) in enumerate(zip(targets, ignored, sizes)):
            match = matched(target.boxes, anchors, NEAR, FAR, all_boxes=True, ignored=left_out)
            match[(middle[:, 0] > size[1]) | (middle[:, 1] > size[0])] = UNSURE  # what was filled up is not asked
            some, none = sampled(match, ASKED, SOME, _order(len(anchors), generator))
            base = number * len(anchors)
            asked += [some + base, none + base]
            right += [np.ones(len(some)), np.zeros(len(none))]
            kinds += [target.labels[match[some]], np.zeros(len(none), np.int64)]
            placed.append(some + base)
            goals.append(differences(target.boxes[match[some]], anchors[some], PROPOSED))
        where, dtype = scores.device, scores.dtype
        rows, place = np.concatenate(asked), np.concatenate(placed)
        chosen = scores.flatten(0, 1).index_select(0, minigrad.tensor(rows, device=where))
        truth = np.zeros((len(rows), self.proposer.classes), np.float32)
        kind = np.concatenate(kinds) if self.stages == 1 else np.zeros(len(rows), np.int64)
        truth[np.arange(len(rows)), kind] = np.concatenate(right)
        wanted = minigrad.tensor(truth, dtype=dtype, device=where)
        found = F.binary_cross_entropy_with_logits(chosen, wanted, reduction="sum") / max(1, len(rows))
        moves = steps.flatten(0, 1).index_select(0, minigrad.tensor(place, device=where))
        goal = minigrad.tensor(np.concatenate(goals), dtype=dtype, device=where)
        near = F.smooth_l1_loss(moves, goal, beta=BETA, reduction="sum") / max(1, len(rows))
        return {"objects": found, "places": near}

    def _mask_loss(
        self, maps: Any, boxes: np.ndarray, owner: np.ndarray, label: np.ndarray, targets: Sequence[Target], hits: Any
    ) -> dict[str, Tensor]:
        """That of the masks of regions that stand for a box which has one."""
        masks, kept, at = [], [], 0
        for target, hit in zip(targets, hits):
            own = np.arange(at, at + len(hit))
            at += len(hit)
            if target.masks is None or not len(hit):
                continue
            there = minigrad.tensor(target.masks[hit][:, None].astype(np.float32), device="cpu")
            places = np.concatenate([np.arange(len(hit))[:, None], boxes[own]], 1).astype(np.float32)
            fine = roi_align(there, minigrad.tensor(places, device="cpu"), 2 * MASK_SIDE, aligned=True)
            masks.append((fine.numpy()[:, 0] >= 0.5).astype(np.float32))
            kept.append(own)
        if not kept:
            return {}
        chosen = np.concatenate(kept)
        head: Any = self.mask_head
        logits = head(self._cut_out(maps, boxes[chosen], owner[chosen], MASK_SIDE))
        rows = minigrad.tensor(np.arange(len(chosen)) * self.num_classes + label[chosen], device=logits.device)
        mine = logits.flatten(0, 1).index_select(0, rows)
        wanted = minigrad.tensor(np.concatenate(masks), dtype=mine.dtype, device=mine.device)
        return {"masks": F.binary_cross_entropy_with_logits(mine, wanted)}

    # ------------------------------------------------------------------ regions

    def _proposals(
        self, scores: Tensor, steps: Tensor, anchors: Sequence[np.ndarray], sizes: Any, most: int
    ) -> list[np.ndarray]:
        """Where something may be on each image, float32 (r, 4), the likeliest first."""
        with minigrad.no_grad():
            values, moves = scores.detach().amax(2).cpu().numpy(), steps.detach().cpu().numpy()
        found = []
        for own, near, size in zip(values, moves, sizes):
            boxes, chances, levels, begin = [], [], [], 0
            for level, each in enumerate(anchors):
                part = own[begin : begin + len(each)]
                first = np.argsort(-part, kind="stable")[:BEFORE]
                boxes.append(_clipped(moved(each[first], near[begin : begin + len(each)][first], PROPOSED), size))
                chances.append(part[first])
                levels.append(np.full(len(first), level))
                begin += len(each)
            box, chance, group = np.concatenate(boxes), np.concatenate(chances), np.concatenate(levels)
            large = (box[:, 2:] - box[:, :2]).min(1) >= 1
            box, chance, group = box[large], chance[large], group[large]
            found.append(box[_not_the_same(box, chance, group, SAME)[:most]])
        return found

    def _cut_out(self, maps: Sequence[Tensor], boxes: np.ndarray, owner: np.ndarray, side: int) -> Tensor:
        """Regions of all images from the map that is fine enough for their size, (R, C, side, side)."""
        roots = np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6))
        level = np.abs(np.log(roots[:, None] / np.asarray(self.sizes))).argmin(1)
        places = np.concatenate([owner[:, None], boxes], 1).astype(np.float32)
        parts, order = [], []
        for number, (each, stride) in enumerate(zip(maps, self.strides)):
            mine = np.flatnonzero(level == number)
            if not len(mine):
                continue
            own = places[mine]
            if self.pooling == "rounded":
                own[:, 1:] = np.rint(own[:, 1:] / stride) * stride
            there = minigrad.tensor(own, dtype=each.dtype, device=each.device)
            parts.append(roi_align(each, there, side, 1 / stride, 2, self.pooling == "aligned"))
            order.append(mine)
        joined = minigrad.cat(parts) if len(parts) > 1 else parts[0]
        back = np.argsort(np.concatenate(order), kind="stable")
        return joined if len(parts) == 1 else joined.index_select(0, minigrad.tensor(back, device=joined.device))

    # ------------------------------------------------------------------ finding

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]] | None = None,
        *,
        least: float = 0.05,
        same: float = 0.5,
        most: int = 100,
    ) -> list[Found]:
        """What is on images, in ``eval`` mode and without gradients.

        Args:
            images: (N, C, H, W), H and W multiples of ``multiple``.
            sizes: (height, width) of each in that memory; all of it where nothing is said.
            least: the chance of an object, at least.
            same: overlap from which on two boxes of a class are one.
            most: objects of an image, at most.

        Raises:
            RunError: the network gives no numbers.
        """
        sizes = [tuple(images.shape[2:])] * len(images) if sizes is None else sizes
        with minigrad.no_grad():
            maps = self.pyramid(images)
            scores, steps = self.proposer(maps)
            _numbers(scores)
            anchors = self.anchors(tuple(images.shape[2:]))
            if self.box_head is None:
                found = self._of_anchors(scores, steps, anchors, sizes)
                results = [_best(*each, least, same, most) for each in found]
            else:
                proposals = self._proposals(scores, steps, anchors, sizes, KEPT)
                found = self._of_regions(maps, proposals, sizes)
                results = [
                    _best(*each, least, same, most)._replace(proposals=own) for each, own in zip(found, proposals, strict=True)
                ]
            return results if self.mask_head is None else self._with_masks(maps, results)

    def _of_anchors(self, scores: Tensor, steps: Tensor, anchors: Any, sizes: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes and chances of each class, (r, K), of each image: those of the likeliest anchors."""
        chances, moves, together = scores.sigmoid().cpu().numpy(), steps.cpu().numpy(), np.concatenate(anchors)
        found = []
        for chance, near, size in zip(chances, moves, sizes):
            first = np.argsort(-chance.max(1), kind="stable")[:BEFORE]
            found.append((_clipped(moved(together[first], near[first], PROPOSED), size), chance[first]))
        return found

    def _of_regions(
        self, maps: Sequence[Tensor], proposals: list[np.ndarray], sizes: Any
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """The same of the second stage."""
        boxes = np.concatenate(proposals)
        if not len(boxes):
            return [(each, np.zeros((0, self.num_classes), np.float32)) for each in proposals]
        owner = np.repeat(np.arange(len(proposals)), [len(each) for each in proposals])
        head: Any = self.box_head
        logits, steps = head(self._cut_out(maps, boxes, owner, SIDE))
        chances, moves = _numbers(F.softmax(logits, dim=1))[:, 1:], steps.cpu().numpy()
        better = moved(boxes, moves, FINAL)
        return [(_clipped(better[owner == n], size), chances[owner == n]) for n, size in enumerate(sizes)]

    def _with_masks(self, maps: Sequence[Tensor], results: list[Found]) -> list[Found]:
        counts = [len(each.boxes) for each in results]
        side = 2 * MASK_SIDE
        if not sum(counts):
            return [each._replace(masks=np.zeros((0, side, side), np.float32)) for each in results]
        boxes, label = np.concatenate([each.boxes for each in results]), np.concatenate([each.labels for each in results])
        owner = np.repeat(np.arange(len(results)), counts)
        head: Any = self.mask_head
        chances = head(self._cut_out(maps, boxes, owner, MASK_SIDE)).sigmoid().cpu().numpy()[np.arange(len(label)), label]
        ends = np.cumsum(counts)[:-1]
        return [each._replace(masks=part) for each, part in zip(results, np.split(chances, ends))]


def _order(count: int, generator: Any) -> np.ndarray:
    if isinstance(generator, np.random.Generator):
        return generator.permutation(count)
    return minigrad.randperm(count, generator=generator, device="cpu").numpy()


def _numbers(x: Tensor) -> np.ndarray:
    """Its numbers; a network whose answers are none finds nothing, which would look like an answer."""
    found = x.cpu().numpy()
    if not np.isfinite(found).all():
        remedy = "Its weights are finite, but too large, or damaged: take another copy of them, or train anew"
        raise RunError("detect", "detector", "a chance of each box", "nan", remedy)
    return found


def _clipped(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes, inside an image of (height, width)."""
    return np.clip(boxes, 0, np.array([size[1], size[0]] * 2, np.float32))


def _not_the_same(boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray, same: float) -> np.ndarray:
    """The numbers of boxes of which none of the same group overlaps a likelier one too much, the likeliest first."""
    box, score, group = (minigrad.tensor(np.ascontiguousarray(each), device="cpu") for each in (boxes, scores, groups))
    return batched_nms(box, score, group, same).numpy()


def _best(boxes: np.ndarray, chances: np.ndarray, least: float, same: float, most: int) -> Found:
    """The objects among boxes with chances of each class."""
    row, label = np.nonzero(chances >= least)
    box, score = boxes[row], chances[row, label]
    large = (box[:, 2:] - box[:, :2]).min(1, initial=np.inf) >= 1 if len(box) else np.zeros(0, bool)
    box, score, label = box[large], score[large], label[large]
    first = _not_the_same(box, score, label, same)[:most]
    return Found(box[first], label[first].astype(np.int64), score[first].astype(np.float32))

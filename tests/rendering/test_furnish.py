"""Furniture stands in the room, on the floor, beside and not inside of other furniture, its back to the wall."""

import numpy as np
import pytest

from gradnorm.common.randomness import stream
from gradnorm.rendering import clutter, furniture
from gradnorm.rendering.furnish import furnish
from gradnorm.rendering.paint import Paint
from gradnorm.rendering.parts import NAMES, PARTS
from gradnorm.rendering.views import layout_type, view

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
MAKERS = [
    *(getattr(furniture, name) for name in ("bed", "sofa", "chair", "table", "coffee_table", "desk", "bookshelf")),
    *(getattr(furniture, name) for name in ("cabinet", "dresser", "night_stand", "television")),
    *(getattr(clutter, name) for name in ("picture", "window", "wall_screen", "wall_shelf", "wall_cabinet", "door")),
    *(getattr(clutter, name) for name in ("floor_lamp", "plant", "heap", "rug")),
]


def corners_of(centre, half, angle):
    """The corners of boxes, [N, 8, 3], right, down, forward."""
    own = CORNERS * half[:, None]
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = np.stack([own[..., 0] * c + own[..., 2] * s, own[..., 1], own[..., 0] * s - own[..., 2] * c], -1)
    return centre[:, None] + turned


@pytest.fixture(scope="module")
def furnished():
    """Views, what stands in them, and the corners of each piece, [boxes, 8, 3]."""
    found = []
    for index in range(33):
        rng = stream(0, "room", index)
        seen = view(rng, layout_type(0, index))
        all_ = furnish(Paint(rng), seen)
        corners, pieces = corners_of(all_.centre, all_.half, all_.angle), np.array(all_.pieces)
        found.append((seen, all_, [corners[pieces == i] for i in range(len(all_.standing))]))
    return found


def test_all_is_in_the_room(furnished):
    for seen, all_, _ in furnished:
        corners = corners_of(all_.centre, all_.half, all_.angle)
        assert (corners > seen.low - 0.005).all()
        assert (corners < seen.high + 0.005).all()


def test_each_piece_begins_at_its_foot(furnished):
    for seen, all_, pieces in furnished:
        for standing, corners in zip(all_.standing, pieces, strict=True):
            foot = seen.high[1] - corners[..., 1].max()
            # Curtains and sills reach below their window.
            assert standing.piece.foot - 0.21 < foot < standing.piece.foot + 1e-6


def test_boxes_are_within_their_piece_s_outline(furnished):
    for _, all_, pieces in furnished:
        for standing, corners in zip(all_.standing, pieces, strict=True):
            x, z = standing.outline()
            for outline, axis in ((x, 0), (z, 2)):
                assert corners[..., axis].min() > outline.min() - 0.12
                assert corners[..., axis].max() < outline.max() + 0.12


def test_pieces_do_not_stand_in_each_other(furnished):
    for _, all_, pieces in furnished:
        solid = [
            corners
            for standing, corners in zip(all_.standing, pieces, strict=True)
            if standing.piece.height > 0.02 and standing.piece.foot == 0
        ]
        # Their middles, since the outlines of turned ones are larger than they are.
        middles = np.array([piece.mean((0, 1))[[0, 2]] for piece in solid]).reshape(-1, 2)
        for i, piece in enumerate(solid):
            low, high = piece.min((0, 1))[[0, 2]], piece.max((0, 1))[[0, 2]]
            inside = ((middles > low) & (middles < high)).all(1)
            assert np.flatnonzero(inside).tolist() in ([], [i])


def test_furniture_stands_along_every_wall(furnished):
    backs = dict.fromkeys(range(4), 0)
    for seen, all_, _ in furnished:
        for standing in all_.standing:
            for wall, (axis, end) in enumerate(((0, seen.low), (2, seen.high), (0, seen.high), (2, seen.low))):
                at = standing.x if axis == 0 else standing.z
                backs[wall] += abs(at - end[axis]) < 1e-9
    assert min(backs[wall] for wall in (0, 1, 2)) > 20


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_piece_keeps_to_its_place(make):
    for seed in range(20):
        piece = make(Paint(stream(seed, "piece")))
        assert {box.name for box in piece.boxes} <= set(NAMES)
        for box in piece.boxes:
            assert min(box.half) > 0
            assert all(0 <= channel <= 1 for end in ("low", "high") for channel in getattr(box.material, end))
            assert box.z - box.half[2] * abs(np.cos(box.angle)) > -0.12
            assert box.y + box.half[1] < piece.height + 0.45


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (furniture.bed, {"bed", "pillow"}),
        (furniture.bookshelf, {"bookshelf", "books"}),
        (furniture.television, {"tv stand", "television"}),
        (furniture.night_stand, {"night stand", "lamp"}),
        (clutter.picture, {"picture"}),
        (clutter.door, {"door"}),
    ],
)
def test_a_piece_has_its_parts(make, names):
    found = [{box.name for box in make(Paint(stream(seed, "piece"))).boxes} for seed in range(10)]
    assert all(names <= each for each in found)
    assert {PARTS[name] for name in names} <= set(PARTS.values())


def test_chance_and_pick_are_as_likely_as_they_say():
    paint = Paint(stream(0, "paint"))
    assert np.mean([paint.chance(0.3) for _ in range(4000)]) == pytest.approx(0.3, abs=0.03)
    counts = np.bincount([paint.pick(1, 3, 0) for _ in range(4000)], minlength=3) / 4000
    assert counts[:2] == pytest.approx([0.25, 0.75], abs=0.03)
    assert counts[2] == 0
    assert all(2 <= paint.between(2, 5) <= 5 for _ in range(100))

"""Furniture, each kind a function from `Paint` to a `Piece`. Metres."""

from __future__ import annotations

from gradnorm.rendering.clutter import bottle, box_on, cup, lamp_on, row_of_books, screen_on, vase
from gradnorm.rendering.paint import Paint, shade
from gradnorm.rendering.parts import NOISE, Box, Material, Piece, block, solid


def bed(paint: Paint) -> Piece:
    """A bed with its head at the wall, a blanket and pillows."""
    width, length, top = paint.between(1.0, 1.7), paint.between(1.9, 2.1), paint.between(0.42, 0.55)
    frame, sheet, blanket = paint.hard(), paint.cloth(), paint.cloth()
    w = width / 2
    boxes = [
        block("bed", (-w, w), (0, paint.between(0.8, 1.15)), (0, 0.07), frame),
        block("bed", (-w, w), (0.1, top - 0.2), (0.05, length), frame),
        block("bed", (-w + 0.03, w - 0.03), (top - 0.2, top), (0.07, length - 0.03), sheet),
        block("bed", (-w - 0.015, w + 0.015), (top - 0.28, top + 0.03), (paint.between(0.6, 0.9), length), blanket),
    ]
    boxes += [
        block("bed", (x - 0.04, x + 0.04), (0, 0.1), (length - 0.1, length - 0.02), frame)
        for x in (-w + 0.05, w - 0.05)
    ]
    pillows = 2 if width > 1.3 else 1
    cover = paint.cloth()
    for i in range(pillows):
        x = (i - (pillows - 1) / 2) * width / pillows
        boxes.append(Box("pillow", x, top + 0.06, 0.3, (0.25, 0.06, 0.17), cover, paint.between(-0.2, 0.2)))
    return Piece(tuple(boxes), width + 0.03, length, 1.0)


def sofa(paint: Paint) -> Piece:
    """A sofa or an armchair, with cushions."""
    seats = 1 + paint.pick(0.25, 0.45, 0.3)
    width, depth, arm = 0.62 * seats + 0.4, paint.between(0.8, 0.95), 0.18
    seat, back = paint.between(0.4, 0.46), paint.between(0.75, 0.92)
    cloth = paint.cloth()
    darker = Material(cloth.texture, shade(cloth.low, 0.85), shade(cloth.high, 0.85), cloth.size)
    w = width / 2
    boxes = [
        *_legs("sofa", width, depth - 0.02, 0.06, 0.07, paint.hard()),
        block("sofa", (-w, w), (0.06, seat - 0.13), (0.02, depth - 0.03), darker),
        block("sofa", (-w, w), (0.06, back), (0.0, 0.2), cloth),
        block("sofa", (-w, -w + arm), (0.06, seat + 0.18), (0.02, depth), cloth),
        block("sofa", (w - arm, w), (0.06, seat + 0.18), (0.02, depth), cloth),
    ]
    step = (width - 2 * arm) / seats
    for i in range(seats):
        x = -w + arm + i * step
        boxes.append(block("sofa", (x + 0.01, x + step - 0.01), (seat - 0.13, seat), (0.2, depth + 0.01), cloth))
        boxes.append(block("sofa", (x + 0.015, x + step - 0.015), (seat, back - 0.06), (0.2, 0.32), cloth))
    for _ in range(paint.pick(0.3, 0.4, 0.3)):
        x = paint.between(-w + 0.35, w - 0.35)
        boxes.append(Box("pillow", x, seat + 0.19, 0.4, (0.2, 0.19, 0.06), paint.cloth(), paint.between(-0.3, 0.3)))
    return Piece(tuple(boxes), width, depth, back)


def chair(paint: Paint) -> Piece:
    """A chair."""
    width, depth, seat, back = 0.44, 0.44, paint.between(0.42, 0.48), paint.between(0.8, 1.0)
    wood = paint.hard()
    cover = paint.cloth() if paint.chance(0.5) else wood
    w = width / 2
    boxes = _legs("chair", width, depth, seat - 0.04, 0.035, wood)
    boxes.append(block("chair", (-w, w), (seat - 0.05, seat), (0, depth), cover))
    boxes += [block("chair", (x - 0.018, x + 0.018), (seat, back), (0, 0.035), wood) for x in (-w + 0.018, w - 0.018)]
    boxes.append(block("chair", (-w + 0.02, w - 0.02), (back - 0.28, back), (0.005, 0.035), cover))
    return Piece(tuple(boxes), width, depth, back)


def _legs(name: str, width: float, depth: float, height: float, size: float, material: Material) -> list[Box]:
    ends = ((-width / 2, -width / 2 + size), (width / 2 - size, width / 2))
    return [block(name, x, (0, height), z, material) for x in ends for z in ((0, size), (depth - size, depth))]


def table(paint: Paint) -> Piece:
    """A table to eat at."""
    width, depth = paint.between(1.0, 1.7), paint.between(0.7, 0.95)
    return _table("table", paint, width, depth, paint.between(0.7, 0.77), paint.pick(0.15, 0.3, 0.3, 0.25) + 1)


def coffee_table(paint: Paint) -> Piece:
    """A low table."""
    width, depth = paint.between(0.8, 1.2), paint.between(0.45, 0.65)
    return _table("coffee table", paint, width, depth, paint.between(0.38, 0.46), paint.pick(0.2, 0.3, 0.3, 0.2))


def desk(paint: Paint) -> Piece:
    """A desk with drawers, often with a screen or a lamp."""
    width, depth, height = paint.between(1.0, 1.5), paint.between(0.55, 0.7), 0.74
    piece = _table("desk", paint, width, depth, height, paint.pick(0.2, 0.4, 0.4) + 1)
    boxes, w = list(piece.boxes), width / 2
    wood = boxes[-1].material if boxes else paint.wood()
    wood = piece.boxes[4].material
    boxes.append(block("desk", (w - 0.42, w - 0.04), (0.12, height - 0.04), (0.03, depth - 0.04), wood))
    boxes += _fronts("desk", (w - 0.42, w - 0.04), (0.12, height - 0.05), depth - 0.04, 1, 3, paint.hard())
    if paint.chance(0.5):
        boxes += screen_on(paint, -0.15, height, 0.2, paint.between(0.45, 0.6))
    elif paint.chance(0.5):
        boxes += lamp_on(paint, -w + 0.2, height, 0.18)
    return Piece(tuple(boxes), width, depth, height + 0.4)


def _table(name: str, paint: Paint, width: float, depth: float, height: float, things: int) -> Piece:
    wood = paint.hard()
    boxes = _legs(name, width - 0.06, depth - 0.06, height - 0.04, 0.06, wood)
    boxes = [Box(b.name, b.x, b.y, b.z + 0.03, b.half, b.material) for b in boxes]
    boxes.append(block(name, (-width / 2, width / 2), (height - 0.045, height), (0, depth), wood))
    for i in range(things):
        x = (-0.5 + (i + 0.5) / things) * (width - 0.3) + paint.between(-0.05, 0.05)
        boxes += _thing(paint, x, height, paint.between(0.15, depth - 0.15))
    return Piece(tuple(boxes), width, depth, height)


def _thing(paint: Paint, x: float, y: float, z: float) -> list[Box]:
    kind = paint.pick(0.25, 0.25, 0.15, 0.15, 0.2)
    if kind == 4:
        return _pile(paint, x, y, z)
    return (cup, bottle, vase, box_on)[kind](paint, x, y, z)


def _pile(paint: Paint, x: float, y: float, z: float) -> list[Box]:
    """Return books that lie on each other."""
    boxes: list[Box] = []
    for _ in range(1 + paint.pick(0.3, 0.4, 0.3)):
        thick = paint.between(0.015, 0.04)
        cover = solid(paint.cloth().low)
        half = (paint.between(0.09, 0.13), thick / 2, paint.between(0.07, 0.1))
        boxes.append(Box("books", x, y + thick / 2, z, half, cover, paint.between(-0.5, 0.5)))
        y += thick
    return boxes


def bookshelf(paint: Paint) -> Piece:
    """Open shelves with books, and things between them."""
    width, depth, height = paint.between(0.7, 1.3), paint.between(0.26, 0.34), paint.between(1.3, 2.1)
    wood, w, board = paint.hard(), width / 2, 0.025
    boxes = [
        block("bookshelf", (-w, -w + board), (0, height), (0, depth), wood),
        block("bookshelf", (w - board, w), (0, height), (0, depth), wood),
        block("bookshelf", (-w, w), (0, height), (0, 0.015), wood),
    ]
    rows = max(3, round(height / 0.36))
    pitch = (height - board) / rows
    for i in range(rows + 1):
        boxes.append(block("bookshelf", (-w, w), (i * pitch, i * pitch + board), (0, depth), wood))
    for i in range(rows):
        low = i * pitch + board
        boxes += row_of_books(paint, (-w + board, w - board), low, pitch - board, depth)
    return Piece(tuple(boxes), width, depth, height)


def cabinet(paint: Paint) -> Piece:
    """A cabinet with doors."""
    width, depth, height = paint.between(0.7, 1.3), paint.between(0.4, 0.6), paint.between(0.9, 2.0)
    piece = _case("cabinet", paint, width, depth, height, 1 if width < 0.8 else 2, 1 if height < 1.4 else 2)
    things = _thing(paint, paint.between(-0.2, 0.2), height, depth / 2) if height < 1.5 else []
    return Piece((*piece.boxes, *things), width, depth, height)


def dresser(paint: Paint) -> Piece:
    """A chest of drawers with something on it."""
    width, depth, height = paint.between(0.8, 1.3), paint.between(0.42, 0.52), paint.between(0.7, 1.0)
    piece = _case("dresser", paint, width, depth, height, 1 if width < 1 else 2, 3)
    things = [box for x in (-0.25, 0.25) for box in _thing(paint, x, height, depth / 2)]
    return Piece((*piece.boxes, *things), width, depth, height)


def night_stand(paint: Paint) -> Piece:
    """A small chest with a lamp."""
    width, depth, height = paint.between(0.4, 0.5), 0.4, paint.between(0.48, 0.6)
    piece = _case("night stand", paint, width, depth, height, 1, 2)
    return Piece((*piece.boxes, *lamp_on(paint, 0, height, depth / 2)), width, depth, height + 0.45)


def television(paint: Paint) -> Piece:
    """A television on its stand."""
    width, depth, height = paint.between(1.1, 1.6), paint.between(0.38, 0.48), paint.between(0.4, 0.55)
    piece = _case("tv stand", paint, width, depth, height, 2 + paint.pick(0.5, 0.5), 1)
    size = paint.between(0.75, 1.0) * width
    return Piece((*piece.boxes, *screen_on(paint, 0, height, 0.18, size)), width, depth, height + 0.6 * size)


def _case(name: str, paint: Paint, width: float, depth: float, height: float, columns: int, rows: int) -> Piece:
    body, front = paint.hard(), paint.hard()
    if paint.chance(0.6):
        front = Material(body.texture, shade(body.low, 1.12), shade(body.high, 1.12), body.size)
    w = width / 2
    boxes = [
        block(
            name, (-w + 0.02, w - 0.02), (0, 0.06), (0, depth - 0.05), Material(NOISE, shade(body.low, 0.5), body.low)
        ),
        block(name, (-w, w), (0.06, height), (0, depth - 0.018), body),
        *_fronts(name, (-w, w), (0.06, height), depth - 0.018, columns, rows, front),
    ]
    return Piece(tuple(boxes), width, depth, height)


def _fronts(
    name: str, x: tuple[float, float], y: tuple[float, float], z: float, columns: int, rows: int, front: Material
) -> list[Box]:
    """Return doors or drawers with their handles."""
    boxes: list[Box] = []
    width, height = (x[1] - x[0]) / columns, (y[1] - y[0]) / rows
    knob = solid(shade(front.high, 0.35))
    for i in range(columns):
        for j in range(rows):
            left, low = x[0] + i * width, y[0] + j * height
            sides = (left + 0.012, left + width - 0.012), (low + 0.012, low + height - 0.012)
            boxes.append(block(name, *sides, (z, z + 0.018), front))
            middle = left + width / 2, low + height * 0.6
            boxes.append(Box(name, middle[0], middle[1], z + 0.026, (min(0.06, width / 5), 0.009, 0.01), knob))
    return boxes

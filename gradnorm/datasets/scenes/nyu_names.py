"""Which of the 13 classes an object of NYU Depth v2 belongs to, by its name.

The file names 894 kinds of objects. The usual way to 13 classes has two tables, 894 → 40 (Gupta et al., 2013) and
40 → 13 (Couprie et al., 2013, as in Handa's nyuv2-meta-data). The second is followed here to the letter:

    bed ← bed                         books ← books              ceiling ← ceiling        chair ← chair
    floor ← floor, floor mat          picture ← picture          sofa ← sofa              table ← table, desk
    tv ← television                   wall ← wall, door          window ← window, blinds, curtain
    furniture ← cabinet, bookshelf, counter, shelves, dresser, refrigerator, night stand, other furniture
    objects ← pillow, mirror, clothes, paper, towel, shower curtain, box, whiteboard, person, toilet, sink, lamp,
              bathtub, bag, other structure, other prop

Instead of the first there are the words below: the whole name decides, else its last word, which in English says what
a thing is ("coffee table", "table lamp"). Whatever is not named here is an object. Frequent names agree with the
published tables; rare ones may not, so a mIoU made with them differs a little from a published one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gradnorm.rendering.scene import CLASSES

UNLABELLED = 0

# Words for the last word of a name, in the singular.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "bed": "bed bunk crib mattress",
        "books": "book textbook dictionary",
        "ceiling": "ceiling",
        "chair": "chair armchair highchair recliner wheelchair",
        "floor": "floor carpet rug mat doormat",
        "furniture": "cabinet cupboard wardrobe closet bookshelf bookcase shelf counter countertop dresser drawer "
        "refrigerator refridgerator fridge nightstand stand rack bench ottoman stool chest hutch armoire bureau vanity "
        "piano cart headboard mantel mantle podium sideboard furniture dishwasher",
        "picture": "picture painting poster photo photograph photos artwork",
        "sofa": "sofa couch loveseat futon",
        "table": "table desk workbench",
        "tv": "television tv televison",
        "wall": "wall door doorway",
        "window": "window blind shade curtain drape shutter skylight",
    }
)
# Whole names whose last word would mislead, or that are one thing together.
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "ceiling": "drop ceiling",
        "furniture": "night stand|book shelf|kitchen island|window seat",
        "objects": "shower curtain|lamp shade|garage door opener|cat bed|dog bed|pet bed|picture stand|tripod stand|"
        "mouse pad|bath mat|place mat|mouse mat|dish rack|spice rack|wine rack|towel rack|magazine rack|cd rack|"
        "knife rack|toilet paper stand|projector screen|whiteboard stand|shopping cart|yoga mat|microphone stand|"
        "music stand|umbrella stand|cake stand|plate rack|drying rack|shoe rack|photo album|photo frame box",
        "picture": "picture frame|wall picture|photo frame|poster board",
        "table": "ping pong table|pool table",
        "tv": "television set|tv screen|flat screen tv",
        "wall": "door frame|door way|room divider wall|wall panel|baseboard",
        "window": "window frame|window shades|roman shades|venetian blinds",
    }
)


def _numbers(table: Mapping[str, str], separator: str | None) -> Mapping[str, int]:
    return {name: CLASSES.index(group) + 1 for group, names in table.items() for name in names.split(separator)}


_CLASS_OF_WORD, _CLASS_OF_NAME = _numbers(_WORDS, None), _numbers(_NAMES, "|")


def class_of(name: str) -> int:
    """Return the class of an object.

    name: as NYU Depth v2 has it, such as "night stand"; case, _ and - do not matter.
    Returns 1 … 13, one more than the place in `CLASSES`; 0 for "unknown" and for an empty name.
    """
    words = name.lower().replace("_", " ").replace("-", " ").split()
    if not words or words == ["unknown"]:
        return UNLABELLED
    whole = " ".join(words)
    for known, key in ((_CLASS_OF_NAME, whole), (_CLASS_OF_NAME, whole.removesuffix("s")), (_CLASS_OF_WORD, words[-1])):
        if key in known:
            return known[key]
    return _CLASS_OF_WORD.get(_singular(words[-1]), CLASSES.index("objects") + 1)


def _singular(word: str) -> str:
    """Return the singular of a regular English plural: shelves, benches, couches, books."""
    if word.endswith("ves"):
        return word[:-3] + "f"
    if word.endswith(("ches", "shes", "xes")):
        return word[:-2]
    return word.removesuffix("s")

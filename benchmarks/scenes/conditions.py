"""The kinds of pictures that scenes are drawn in, each with its own difficulty."""

from dataclasses import dataclass, field, replace

from . import pens
from . import surfaces as papers
from .camera_model import CameraModel
from .contents import (
    ContentMaker,
    draft_card,
    draft_drawing,
    draft_letters,
    draft_nothing,
    draft_page,
    draft_rows,
    draft_specks,
)
from .drafts.devices import draft_counter, draft_display, draft_inset
from .drafts.forms import draft_form
from .drafts.grids import draft_sudoku, draft_table
from .drafts.notes import draft_date_and_sum, draft_words_and_numbers
from .drafts.placing import (
    draft_climbing,
    draft_close_rows,
    draft_edge_crop,
    draft_hand_lines,
    draft_tight_crop,
)
from .drafts.records import draft_check, draft_register
from .drafts.rooms import draft_desk, draft_room
from .drafts.text import draft_signs, draft_text_page
from .drafts.textures import draft_texture
from .handwriting import WritingLayout
from .lighting import Light, cast_edge, cast_soft
from .pens import Pen
from .surfaces import Paper


@dataclass(frozen=True)
class Condition:
    """The settings of one kind of pictures. Of several pens and papers, each picture has one."""

    summary: str
    draft: ContentMaker = draft_rows
    layout: WritingLayout = field(default_factory=WritingLayout)
    pens: tuple[Pen, ...] = (pens.BALL_BLUE, pens.BALL_BLACK, pens.FELT)
    papers: tuple[Paper, ...] = (papers.WHITE,)
    light: Light = field(default_factory=Light)
    camera: CameraModel = field(default_factory=CameraModel)


ALL_PENS = (pens.BALL_BLUE, pens.BALL_BLACK, pens.FELT, pens.PENCIL)
ALL_PAPERS = (papers.WHITE, papers.YELLOWISH, papers.RULED, papers.SQUARED, papers.BROWN)
LARGE = WritingLayout(rows=(1, 2), digits=(1, 5), height_mm=(25, 60))
RULED_LAYOUT = WritingLayout(pitch_mm=8.0, height_mm=(4.5, 6.4))
SQUARED_LAYOUT = WritingLayout(pitch_mm=5.0, height_mm=(5, 9))
DARK_AND_LIGHT = (papers.WHITE, papers.BROWN, papers.BLACKBOARD)
FULL_PAGE = CameraModel(megapixels=(0.4, 2.0), fill=(0.75, 0.97))
TURNED = CameraModel(turn_deg=12, least_turn_deg=4)
# Someone cut the picture: its shape and edges are those of the part in view.
CROPPED = CameraModel(aspects=(), fill=(1.0, 1.0), turn_deg=0.0, tilt=0.0, inset=0.0)
SCANNED = replace(CROPPED, megapixels=(0.4, 1.6), turn_deg=1.0)
ROOM = CameraModel((0.2, 1.6), (4 / 3, 4 / 3, 3 / 2, 1.0), fill=(1.0, 1.0), turn_deg=8, inset=-0.05, tilt=0.15)
INDOORS = Light(shadow=cast_soft, gradient=0.5, vignette=0.3, exposure=(0.4, 0.95), warmth=0.1)

CONDITIONS: dict[str, Condition] = {
    "plain": Condition("pens on white paper", papers=(papers.WHITE, papers.YELLOWISH)),
    "thin-pencil": Condition("a pencil's grainy, uneven strokes", pens=(pens.PENCIL,)),
    "marker": Condition("a thick marker", layout=LARGE, pens=(pens.MARKER,)),
    "blue-pen": Condition("a blue ball pen", pens=(pens.BALL_BLUE,), light=Light(warmth=0.12)),
    "ruled": Condition("paper with lines", layout=RULED_LAYOUT, papers=(papers.RULED,)),
    "squared": Condition("paper with squares", layout=SQUARED_LAYOUT, papers=(papers.SQUARED,)),
    "shadow-edge": Condition(
        "a shadow with a crisp edge across the page", light=Light(shadow=cast_edge, depth=(0.3, 0.6))
    ),
    "soft-shadow": Condition(
        "the photographer's shadow", light=Light(shadow=cast_soft, gradient=0.4, vignette=0.3)
    ),
    "page-border": Condition(
        "a whole page on a dark table",
        draft_page,
        camera=CameraModel(fill=(0.75, 0.97), megapixels=(0.3, 2.0), turn_deg=4),
    ),
    "brown-paper": Condition("wrapping paper", papers=(papers.BROWN,)),
    "blackboard": Condition("chalk on a board", pens=(pens.CHALK,), papers=(papers.BLACKBOARD,)),
    "mixed-polarity": Condition(
        "dark digits on white, light digits on a dark card", draft_card, WritingLayout(rows=(1, 2), digits=(3, 7))
    ),
    "low-light": Condition(
        "little light and a noisy sensor", light=Light(exposure=(0.22, 0.45), gradient=0.3),
        camera=CameraModel(noise=(0.02, 0.04), megapixels=(0.2, 1.2)),
    ),
    "blurred": Condition("out of focus", camera=CameraModel(blur=(0.025, 0.05))),
    "perspective": Condition("seen from the side and turned", camera=CameraModel(turn_deg=6, tilt=0.18)),
    "single-large": Condition(
        "one digit that fills the frame", layout=WritingLayout((1, 1), (1, 1), (40, 60)), pens=(pens.MARKER, pens.FELT),
        camera=CameraModel(fill=(0.6, 0.95), megapixels=(0.1, 1.5)),
    ),
    "tiny-frame": Condition(
        "a thumbnail", layout=WritingLayout((1, 2), (1, 3), (6, 10), (0.25, 0.6)), pens=(pens.FELT, pens.BALL_BLACK),
        camera=CameraModel(megapixels=(0.0144, 0.03), aspects=(1.0, 4 / 3), fill=(0.6, 0.9)),
    ),
    "large-frame": Condition(
        "twelve megapixels", layout=WritingLayout(rows=(2, 5), digits=(4, 10)), pens=ALL_PENS, papers=ALL_PAPERS,
        camera=CameraModel(megapixels=(12, 12.2), aspects=(4 / 3, 3 / 4)),
    ),
    "two-hundred": Condition(
        "a page of about 200 small digits",
        layout=WritingLayout((11, 14), (14, 18), (4, 6), (0.25, 0.5), (1.6, 2.0)),
        camera=CameraModel(megapixels=(1.0, 3.0), aspects=(4 / 3, 1.0), fill=(0.8, 0.95)),
    ),
    "broken-strokes": Condition("gaps in the strokes", layout=WritingLayout(broken=0.6)),
    "touching": Condition(
        "neighbours that touch", layout=WritingLayout(touching=1.0, gap=(0.24, 0.4)),
        pens=(pens.BALL_BLUE, pens.BALL_BLACK),
    ),
    "specks": Condition("dots, dashes and smudges between the digits", draft_specks, WritingLayout(gap=(0.4, 0.9))),
    "letters": Condition("words, no digits", draft_letters, pens=ALL_PENS, papers=ALL_PAPERS),
    "drawings": Condition(
        "scribbles, faces and charts, no digits", draft_drawing, pens=ALL_PENS, papers=ALL_PAPERS,
        camera=CameraModel(fill=(0.4, 0.9)),
    ),
    "empty": Condition(
        "nothing written", draft_nothing, papers=(*ALL_PAPERS, papers.BLACKBOARD), light=Light(shadow=cast_soft),
    ),
    "form": Condition(
        "printed forms, filled in by hand", draft_form, WritingLayout((1, 5), (2, 10), (4.5, 6.5)),
        camera=FULL_PAGE, papers=(papers.WHITE, papers.YELLOWISH),
    ),
    "table": Condition(
        "tables ruled by hand or printed", draft_table, WritingLayout((2, 6), (1, 12), (5, 8)), camera=FULL_PAGE,
    ),
    "sudoku": Condition(
        "sudoku grids, printed or filled in by hand", draft_sudoku, WritingLayout((1, 9), (1, 9), (4.5, 6.5)),
        camera=FULL_PAGE,
    ),
    "words-and-numbers": Condition(
        "lines of words, and a number or two", draft_words_and_numbers,
        WritingLayout((1, 2), (2, 8), (4.5, 7), row_pitch=(1.7, 2.4)), camera=FULL_PAGE,
        papers=(papers.WHITE, papers.YELLOWISH),
    ),
    "date-and-sum": Condition(
        "dates, prices and sums with their signs", draft_date_and_sum, WritingLayout((1, 4), (1, 12)),
    ),
    "hand-lines": Condition(
        "lines drawn by hand", draft_hand_lines, WritingLayout(row_pitch=(1.7, 2.4)), camera=CameraModel(tilt=0.1),
    ),
    "ruled-turned": Condition(
        "paper with lines, turned", layout=RULED_LAYOUT, papers=(papers.RULED,), camera=TURNED,
    ),
    "squared-turned": Condition(
        "paper with squares, turned", layout=SQUARED_LAYOUT, papers=(papers.SQUARED,), camera=TURNED,
    ),
    "turned": Condition("a page turned by up to 20 degrees", camera=CameraModel(turn_deg=20, least_turn_deg=5)),
    "climbing": Condition("rows that climb or fall", draft_climbing, WritingLayout((1, 3), (3, 8))),
    "close-rows": Condition("rows that nearly touch", draft_close_rows, WritingLayout((2, 4), (3, 8))),
    "edge-crop": Condition("digits at the frame's edge or cut by it", draft_edge_crop, camera=CROPPED),
    "tight-crop": Condition(
        "a row or a digit cropped to its ink", draft_tight_crop, WritingLayout((1, 1), (1, 6)),
        camera=replace(CROPPED, megapixels=(0.004, 0.3)),
    ),
    "register": Condition(
        "scanned registers with black margins", draft_register, WritingLayout((3, 9), (2, 12), (4.5, 6.5)),
        camera=SCANNED, papers=(papers.YELLOWISH, papers.WHITE),
    ),
    "check": Condition("bank checks", draft_check, WritingLayout((3, 3), (3, 8), (4.2, 5.5)), camera=FULL_PAGE),
    "inset": Condition(
        "light digits in a dark inset on a bright page", draft_inset, WritingLayout((1, 2), (1, 6)),
    ),
    "display": Condition(
        "dark segment digits on grey glass in a light housing", draft_display, WritingLayout((1, 2), (1, 7), (8, 16)),
        papers=DARK_AND_LIGHT,
    ),
    "counter": Condition(
        "white digits on dark wheels in windows", draft_counter, WritingLayout((1, 1), (4, 8), (5, 9)),
        papers=DARK_AND_LIGHT,
    ),
    "fading": Condition("strokes that fade along their way", pens=(pens.FADING,)),
    "desk": Condition(
        "a desk with pens, cups and cables, no digits", draft_desk, papers=(papers.WOOD, papers.PAINTED), light=INDOORS,
        camera=ROOM,
    ),
    "room": Condition(
        "a room with windows, shelves and plants, no digits", draft_room, papers=(papers.PAINTED, papers.WHITE),
        light=INDOORS, camera=ROOM,
    ),
    "text-page": Condition(
        "printed text, no digits", draft_text_page, papers=(papers.WHITE, papers.YELLOWISH),
        light=Light(shadow=cast_soft, gradient=0.6, vignette=0.3), camera=CameraModel((0.2, 2.0), fill=(0.7, 1.2)),
    ),
    "textures": Condition(
        "gravel, grass, bricks, weave, dots and hatching, no digits", draft_texture, camera=ROOM,
        light=Light(gradient=0.3),
    ),
    "signs": Condition("brackets, arrows, music and bar codes, no digits", draft_signs, camera=CameraModel(turn_deg=5)),
}  # fmt: skip

"""Contact sheets: a row's frames with the perturbed span marked, shapes boxed, clips in order."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthmill.generators.videossr.counting import reach
from synthmill.generators.videossr.jigsaw import LABELS
from synthmill.generators.videossr.records import (
    CountingRecord,
    Detail,
    GroundingRecord,
    JigsawRecord,
    Shape,
)
from synthmill.schemas.row import Row
from synthmill.sources.video.reading import frames_at

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

TILE = 150  # width of a frame, in pixels
GAP = 6
CAPTION = 16
HEADER = 30
COLUMNS = 12
PAPER, INK, MARK = (255, 255, 255), (30, 30, 30), (220, 40, 40)


Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Tile:
    """A frame with its caption; marked ones get a border; `boxes` are in its pixels."""

    image: "Image"
    caption: str
    marked: bool = False
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Strip:
    """Tiles under a title."""

    title: str
    tiles: list[Tile]


def contact_sheet(row: Row, media: Path) -> bytes:
    """A PNG of the row's frames; media paths of the row start at the folder `media`.

    Grounding: all frames, those of the perturbed span in red. Counting: frames with shapes, each
    shape boxed and named. Jigsaw: the clips as shown, then in the right order.
    """
    detail = Detail.model_validate_json(row.detail)
    clips = _clips(row, media)
    match detail.sample:
        case GroundingRecord() as sample:
            strips = _grounding(sample, clips[0], detail)
        case CountingRecord() as sample:
            strips = _counting(sample, clips[0], detail)
        case JigsawRecord() as sample:
            strips = _jigsaw(sample, clips)
        case _:
            strips = []
    title = f"{detail.sub_type}   answer: {row.answer}   {detail.fps:.3f} frames a second"
    return _png(_laid_out(title, strips))


def _clips(row: Row, media: Path) -> list[list["Image"]]:
    """The frames of each clip, read back from the row's files."""
    from PIL import Image

    clips: list[list[Image.Image]] = []
    for item in row.media:
        where = json.loads(item.detail or "{}")
        if where["clip"] == len(clips):
            clips.append([])
        if item.kind == "image":
            clips[-1].append(Image.open(media / item.path).convert("RGB"))
            continue
        step = round(1000 / where["fps"])
        moments = [step * place for place in range(where["frames"])]
        size = (where["width"], where["height"])
        seen = frames_at(media / item.path, moments, size)
        clips[-1] += [Image.fromarray(pixels) for pixels in seen.pixels]
    return clips


def _grounding(sample: GroundingRecord, frames: list["Image"], detail: Detail) -> list[Strip]:
    span = range(sample.first, sample.first + sample.length)
    tiles = [
        Tile(frame, f"{place * detail.step_ms / 1000:.1f} s", place in span)
        for place, frame in enumerate(frames)
    ]
    title = f"{sample.perturbation} from {sample.start} s to {sample.end} s"
    return [Strip(title, tiles)]


def _counting(sample: CountingRecord, frames: list["Image"], detail: Detail) -> list[Strip]:
    tiles = []
    for place, frame in enumerate(frames):
        shapes = [shape for shape in sample.shapes if shape.frame == place]
        if shapes:
            kinds = f"{len(shapes)} {shapes[0].kind}{'s' if len(shapes) > 1 else ''}"
            caption = f"{place * detail.step_ms / 1000:.1f} s: {kinds}"
            tiles.append(Tile(frame, caption, boxes=tuple(map(_box, shapes))))
    return [Strip(f"the {len(tiles)} of {len(frames)} frames with shapes", tiles)]


def _box(shape: Shape) -> Box:
    radius = reach(shape) + 2
    return shape.x - radius, shape.y - radius, shape.x + radius, shape.y + radius


def _jigsaw(sample: JigsawRecord, clips: list[list["Image"]]) -> list[Strip]:
    if sample.presentation == "single":
        whole = clips[0]
        clips = [
            whole[start : start + sample.frames] for start in range(0, len(whole), sample.frames)
        ]
    right = sorted(range(len(clips)), key=sample.order.__getitem__)
    return [
        *(_clip_strip(f"shown as clip {LABELS[k]}", clip) for k, clip in enumerate(clips)),
        *(
            _clip_strip(f"in place {p + 1}: clip {LABELS[k]}", clips[k])
            for p, k in enumerate(right)
        ),
    ]


def _clip_strip(title: str, clip: list["Image"]) -> Strip:
    return Strip(title, [Tile(frame, "") for frame in clip])


def _laid_out(title: str, strips: list[Strip]) -> "Image":
    """The strips from top to bottom, tiles in rows of at most `COLUMNS`."""
    from PIL import Image, ImageDraw

    tiles = [tile for strip in strips for tile in strip.tiles]
    height = round(TILE * tiles[0].image.height / tiles[0].image.width) if tiles else 0
    columns = min(COLUMNS, max((len(strip.tiles) for strip in strips), default=1))
    captions = CAPTION if any(tile.caption for tile in tiles) else 0
    line = height + captions + GAP
    rows = sum(-(-len(strip.tiles) // columns) for strip in strips)
    size = (columns * (TILE + GAP) + GAP, HEADER + rows * line + len(strips) * HEADER)
    sheet = Image.new("RGB", size, PAPER)
    canvas = ImageDraw.Draw(sheet)
    canvas.text((GAP, GAP), title, fill=INK, font_size=18)
    top = HEADER
    for strip in strips:
        canvas.text((GAP, top + HEADER - 22), strip.title, fill=INK, font_size=14)
        top += HEADER
        for first in range(0, len(strip.tiles), columns):
            _paste_row(sheet, canvas, strip.tiles[first : first + columns], top, height)
            top += line
    return sheet


def _paste_row(
    sheet: "Image", canvas: "ImageDraw", tiles: list[Tile], top: int, height: int
) -> None:
    for column, tile in enumerate(tiles):
        left = GAP + column * (TILE + GAP)
        sheet.paste(tile.image.resize((TILE, height)), (left, top))
        if tile.marked:
            box = (left - 3, top - 3, left + TILE + 2, top + height + 2)
            canvas.rectangle(box, outline=MARK, width=4)
        scale = TILE / tile.image.width
        for x0, y0, x1, y1 in tile.boxes:
            corners = (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
            canvas.rectangle(corners, outline=MARK, width=1)
        color = MARK if tile.marked else INK
        canvas.text((left, top + height + 2), tile.caption, fill=color, font_size=12)


def _png(image: "Image") -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def describe(detail: Detail, answer: str | None) -> str:
    """The properties of a question, one per line."""
    lines = [
        f"{detail.sub_type}: answer {answer}",
        f"the best constant answer earns {detail.chance:.3f}, a random one "
        f"{detail.random_guess:.3f}, the blind solver's {detail.solved.answer} "
        f"{detail.solved.reward:.3f}",
        f"video: {detail.info.codec} {detail.info.width}x{detail.info.height}, "
        f"{detail.info.seconds:.2f} s, {len(detail.times)} frames at {detail.fps:.3f} a second",
    ]
    match detail.sample:
        case GroundingRecord() as sample:
            last = sample.first + sample.length - 1
            lines.append(f"{sample.perturbation}: frames {sample.first} to {last}")
        case CountingRecord() as sample:
            lines.append(
                f"{len(sample.shapes)} shapes in {len({s.frame for s in sample.shapes})} frames"
            )
        case JigsawRecord() as sample:
            lines.append(f"original places of the shown clips: {sample.order}")
    return "\n".join(lines)

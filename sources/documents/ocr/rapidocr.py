"""RapidOCR: PaddleOCR's detection and recognition models, run by ONNX Runtime on the CPU."""

from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from synthmill.sources.documents.ocr.base import OcrEngine, TextPiece, gray

if TYPE_CHECKING:
    from PIL.Image import Image

# The recognition model was trained on lines of about this shape and garbles longer ones: wider
# boxes are cut where there is no ink. Measured on pages of prose: similarity .86 -> .9997.
MAX_ASPECT = 14.0
SEARCH = 0.25  # ours: a cut lies within this share of a part's width from where it is due
THREADS = 2  # ours: one page takes as long with more


class RapidOcr(OcrEngine):
    """The models are in the wheel (Apache-2.0), so it works without a network."""

    name: ClassVar[str] = "rapidocr"
    family: ClassVar[str] = "paddleocr"

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        self._ocr = RapidOCR(
            params={
                "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
                "Global.log_level": "error",
            }
        )

    @classmethod
    def missing(cls) -> str | None:
        """The extra `parsing`."""
        return None if find_spec("rapidocr") else "pip install 'synthmill[parsing]'"

    def read(self, image: "Image") -> list[TextPiece]:
        """The lines of the image."""
        pixels = np.asarray(image)[:, :, ::-1]  # the models were trained on BGR
        # What a call does not say is as in the call before.
        found: Any = self._ocr(pixels, use_det=True, use_cls=False, use_rec=True)
        if getattr(found, "boxes", None) is None:  # nothing was detected
            return []
        pieces = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
            piece = TextPiece(text, float(x0), float(y0), float(x1), float(y1), float(score))
            pieces.append(self._again(image, piece) if _long(piece) else piece)
        return pieces

    def _again(self, image: "Image", piece: TextPiece) -> TextPiece:
        """A long line, recognized in parts."""
        box = [max(0, int(side)) for side in piece[1:5]]
        line = image.crop((box[0], box[1], box[2], box[3]))
        edges = _cuts(gray(line), int(np.ceil(line.width / (MAX_ASPECT * line.height))))
        texts, scores = [], []
        for left, right in pairwise(edges):
            part = np.asarray(line.crop((left, 0, right, line.height)))[:, :, ::-1]
            found: Any = self._ocr(part, use_det=False, use_cls=False, use_rec=True)
            texts += [text for text in found.txts or () if text]
            scores += list(found.scores or ())
        if not texts:
            return piece
        return piece._replace(text=" ".join(texts), confidence=float(np.mean(scores)))


def _long(piece: TextPiece) -> bool:
    return piece.height >= 4 and piece.x1 - piece.x0 > MAX_ASPECT * piece.height


def _cuts(line: NDArray[np.uint8], parts: int) -> list[int]:
    """The edges of so many parts of a line, in the middle of the widest gaps near equal parts."""
    width = line.shape[1]
    contrast = int(line.max()) - int(line.min())
    empty = (line.max(axis=0).astype(int) - line.min(axis=0)) < 0.25 * contrast
    edges = [0]
    for part in range(1, parts):
        due, reach = width * part / parts, SEARCH * width / parts
        first, last = int(due - reach), int(due + reach) + 1
        best, start = (0, int(due)), None
        for at in range(first, last + 1):
            if at < last and empty[at]:
                start = at if start is None else start
            elif start is not None:
                best = max(best, (at - start, (start + at) // 2))
                start = None
        edges.append(best[1])
    return [*edges, width]

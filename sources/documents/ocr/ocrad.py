"""GNU Ocrad, run as a program on each image: a weak engine by features of shapes."""

import io
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, ClassVar

from synthmill.sources.documents.ocr.base import OcrEngine, TextPiece

if TYPE_CHECKING:
    from PIL.Image import Image

# Its results file has a line of this form for every character: the box, and the best guess.
_CHARACTER = re.compile(r"\s*(-?\d+)\s+(-?\d+)\s+(\d+)\s+(\d+);\s*(\d+)(?:, '(.)'\d+)?", re.DOTALL)
GUESSED = 0.5  # ours: the confidence of an engine that states none and is often wrong


class Ocrad(OcrEngine):
    """Words by GNU Ocrad (GPL, used as a program; Debian's `ocrad`). Latin letters only."""

    name: ClassVar[str] = "ocrad"
    family: ClassVar[str] = "ocrad"

    @classmethod
    def missing(cls) -> str | None:
        """The program."""
        return None if shutil.which("ocrad") else "apt install ocrad"

    def read(self, image: "Image") -> list[TextPiece]:
        """The words of the image.

        Raises:
            OSError: the program failed.
        """
        file = io.BytesIO()
        image.convert("L").save(file, "PPM")
        command = ["ocrad", "--layout", "--format=utf8", "--export=-", "--quiet", "-"]
        run = subprocess.run(command, input=file.getvalue(), capture_output=True)
        if run.returncode:
            raise OSError(run.stderr.decode(errors="replace").strip()[-200:] or "ocrad failed")
        return _words(run.stdout.decode("utf-8", "replace"))


def _words(export: str) -> list[TextPiece]:
    pieces: list[TextPiece] = []
    word: list[TextPiece] = []
    for line in [*export.split("\n"), ""]:
        found = _CHARACTER.match(line)
        if found is None or found[6] in (None, " "):
            if word:
                x0, y0 = min(c.x0 for c in word), min(c.y0 for c in word)
                x1, y1 = max(c.x1 for c in word), max(c.y1 for c in word)
                text = "".join(c.text for c in word)
                pieces.append(TextPiece(text, x0, y0, x1, y1, GUESSED))
            word = []
            continue
        x, y, width, height = (float(found[k]) for k in range(1, 5))
        word.append(TextPiece(found[6], x, y, x + width, y + height))
    return pieces

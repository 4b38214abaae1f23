"""Tesseract, run as a program on each image."""

import csv
import io
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, ClassVar

from synthmill.sources.documents.ocr.base import OcrEngine, TextPiece

if TYPE_CHECKING:
    from PIL.Image import Image

WORD = "5"  # the level of words in its table


class Tesseract(OcrEngine):
    """Words by Tesseract's LSTM model of English (Apache-2.0; Debian's `tesseract-ocr`)."""

    name: ClassVar[str] = "tesseract"
    family: ClassVar[str] = "tesseract"

    @classmethod
    def missing(cls) -> str | None:
        """The program."""
        return None if shutil.which("tesseract") else "apt install tesseract-ocr"

    def read(self, image: "Image") -> list[TextPiece]:
        """The words of the image.

        Raises:
            OSError: the program failed.
        """
        file = io.BytesIO()
        image.save(file, "PPM")
        # More threads make it several times slower.
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        command = ["tesseract", "stdin", "stdout", "--psm", "3", "tsv"]
        run = subprocess.run(command, input=file.getvalue(), capture_output=True, env=environment)
        if run.returncode:
            raise OSError(run.stderr.decode(errors="replace").strip()[-200:] or "tesseract failed")
        table = run.stdout.decode("utf-8", "replace")
        pieces = []
        for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["level"] == WORD and (row["text"] or "").strip():
                x, y = float(row["left"]), float(row["top"])
                right, bottom = x + float(row["width"]), y + float(row["height"])
                confidence = min(max(float(row["conf"]) / 100, 0.0), 1.0)
                pieces.append(TextPiece(row["text"], x, y, right, bottom, confidence))
        return pieces

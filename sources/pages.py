"""Pages of a folder: those of PDF files, and image files, each an item of its own."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from synthmill.runtime.workers import Limits, WorkerError, WorkerPool
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.base import Source
from synthmill.sources.documents.ocr.base import open_image

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
KEY_LENGTH = 16  # hex digits of the content hash
MEGABYTE = 2**20
SCAN_DPI = 200.0  # ours: of images that state none, or an impossible one
POSSIBLE_DPI = (50.0, 1200.0)


class PageFile(Record):
    """A page: `number` from 1 in the file at `path`, of `width` times `height` points.

    `sha256` is the hash of the file's bytes; `key` begins with it.
    """

    key: str
    path: str
    sha256: str
    form: Literal["pdf", "image"]
    number: int
    pages: int
    width: float
    height: float
    origin: SourceRef


class PagesSettings(Settings):
    """Which files are read, and limits of reading. All limits are ours."""

    path: Path = Field(description="a folder (searched to any depth), or one file")
    license: str | None = Field(default=None, description="license of the files")
    max_pages: int = Field(default=2000, gt=0, description="pages read of one file")
    max_mb: int = Field(default=256, gt=0, description="largest file, in megabytes")
    seconds: float = Field(default=60, gt=0, description="time limit for looking at a file")
    memory_mb: int = Field(default=2048, gt=0, description="memory limit for looking at a file")


class PagesSource(Source):
    """Pages in the order of paths; a file whose bytes were seen before is left out."""

    name: ClassVar[str] = "pages"
    item: ClassVar[type] = PageFile
    Settings = PagesSettings
    settings: PagesSettings

    def items(self) -> Iterator[PageFile | InvalidItem]:
        """The pages; files are opened in a worker process that is killed when it hangs.

        Raises:
            InputError: the path leads nowhere, or holds no page.
        """
        seen: set[str] = set()
        settings = self.settings
        limits = Limits(seconds=settings.seconds, memory_mb=settings.memory_mb)
        with WorkerPool(1) as pool:
            for path, found in pool.map(page_sizes, self._files(), limits=limits):
                if isinstance(found, Exception):
                    yield _bad(path, found)
                elif found.sha256 not in seen:
                    seen.add(found.sha256)
                    yield from self._pages(path, found)

    def check(self) -> str:
        """See `Source.check`."""
        files = len(self._files())
        first = next(iter(self.items()), None)
        if isinstance(first, InvalidItem):
            return f"pages: {files} files; the first is unusable: {first.reason} ({first.detail})"
        return f"pages: {files} files, the first is readable"

    def _files(self) -> list[Path]:
        path = self.settings.path.expanduser()
        suffixes = (".pdf", *IMAGES)
        if path.is_file():
            found = [path]
        elif path.is_dir():
            inside = path.resolve()
            found = [
                p
                for p in path.rglob("*")
                if p.suffix.lower() in suffixes
                and p.is_file()
                and p.resolve().is_relative_to(inside)
            ]
        else:
            raise InputError(f"no pages at {str(path)!r}: there is no such folder or file")
        if not found:
            raise InputError(f"no pages at {str(path)!r}: it holds no {', '.join(suffixes)} file")
        return sorted(found)

    def _pages(self, path: Path, found: "PageSizes") -> Iterator[PageFile | InvalidItem]:
        if path.stat().st_size > self.settings.max_mb * MEGABYTE:
            yield _bad(path, OSError(f"file too big: more than {self.settings.max_mb} MB"))
            return
        origin = SourceRef(
            uri=str(path), sha256=found.sha256, title=path.stem, license=self.settings.license
        )
        sizes = found.sizes[: self.settings.max_pages]
        for number, (width, height) in enumerate(sizes, start=1):
            yield PageFile(
                key=f"{found.sha256[:KEY_LENGTH]}-{number}",
                path=str(path),
                sha256=found.sha256,
                form="pdf" if path.suffix.lower() == ".pdf" else "image",
                number=number,
                pages=len(found.sizes),
                width=width,
                height=height,
                origin=origin,
            )


class PageSizes(NamedTuple):
    """The hash of a file's bytes, and the size of each page in points."""

    sha256: str
    sizes: list[tuple[float, float]]


def page_sizes(path: Path) -> PageSizes:
    """The pages of a file; runs in a worker.

    Raises:
        OSError: it cannot be opened.
    """
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if path.suffix.lower() != ".pdf":
        image = open_image(data)
        dpi = _dpi(data)
        return PageSizes(sha256, [(image.width * 72 / dpi, image.height * 72 / dpi)])
    import pypdfium2

    try:
        opened = pypdfium2.PdfDocument(data)
        return PageSizes(sha256, [opened.get_page_size(at) for at in range(len(opened))])
    except pypdfium2.PdfiumError as error:
        raise OSError(f"unreadable PDF: {error}") from error


def page_image(page: PageFile, dpi: float, max_pixels: int) -> bytes:
    """A page as PNG at `dpi`, or lower where it would have more than `max_pixels`; in a worker.

    An image file keeps its own resolution up to `max_pixels`.

    Raises:
        OSError: the file has changed or cannot be rendered.
    """
    data = Path(page.path).read_bytes()
    if hashlib.sha256(data).hexdigest() != page.sha256:
        raise OSError("the file is not the one that was read at first")
    if page.form == "image":
        image = open_image(data)
        factor = min(1.0, (max_pixels / (image.width * image.height)) ** 0.5)
        if factor < 1:
            image = image.resize((int(image.width * factor) or 1, int(image.height * factor) or 1))
    else:
        import pypdfium2

        try:
            shown = pypdfium2.PdfDocument(data)[page.number - 1]
            width, height = shown.get_size()
            scale = min(dpi / 72, (max_pixels / max(width * height, 1)) ** 0.5)
            image = shown.render(scale=scale).to_pil().convert("RGB")
        except pypdfium2.PdfiumError as error:
            raise OSError(f"unreadable PDF: {error}") from error
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _dpi(data: bytes) -> float:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        stated: Any = image.info.get("dpi", (SCAN_DPI,))
    try:
        dpi = float(stated[0])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return SCAN_DPI
    return dpi if POSSIBLE_DPI[0] <= dpi <= POSSIBLE_DPI[1] else SCAN_DPI


def _bad(path: Path, error: Exception) -> InvalidItem:
    reason = str(error) if isinstance(error, WorkerError) else "unreadable page file"
    return InvalidItem(
        key=f"bad-{keyed_seed(str(path)):016x}",
        reason=reason,
        detail=f"{path.name}: {error}"[:300],
        excerpt=path.name,
        origin=SourceRef(uri=str(path), title=path.stem),
    )

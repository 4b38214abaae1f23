"""PDF files written by hand, for tests of what is read out of them."""

Line = tuple[float, float, float, str]


def make_pdf(
    pages: list[list[Line]], title: str = "A report", extra: str = "", turn: int = 0
) -> bytes:
    """A PDF with pages of 600 x 800 points; each is a list of lines in Helvetica.

    A line is its x, its y from below, its size and its text. `extra` goes into the catalog, and
    pages are shown turned by `turn` degrees. The last object holds the title.
    """
    objects = ["", ""]
    kids = []
    for lines in pages:
        stream = " ".join(
            f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET" for x, y, size, text in lines
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        font = "<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Rotate {turn} "
            f"/Contents {len(objects)} 0 R /Resources << /Font {font} >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R {extra} >>"
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append(f"<< /Title ({title}) >>")
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}"
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n"
    return (out + end + trailer + f"startxref\n{len(out)}\n%%EOF\n").encode()

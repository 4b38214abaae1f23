"""Candidates out of conclusions: the image, MinerU's prompt, and the label in MinerU's form."""

import io
import math
from collections.abc import Sequence

from synthmill.generators.mineru_pro.records import Box, Consensus, RowDetail, SubTask
from synthmill.rewards.document_tables import parse_table, table_otsl
from synthmill.schemas.lineage import Media, SourceRef
from synthmill.schemas.messages import ImagePart, Message, TextPart, assistant
from synthmill.schemas.row import Candidate, Score
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.ocr.base import open_image

# Appendix A of the paper: one image, then the name of the sub-task.
PROMPTS: dict[SubTask, str] = {
    "layout": "Layout Detection:",
    "text": "Text Recognition:",
    "formula": "Formula Recognition:",
    "table": "Table Recognition:",
}
REWARD = "document.{task}@1"
DIFFICULTY = {"easy": 0.0, "medium": 0.5, "hard": 1.0}
CHECK = "mineru_pro.consistency"


def crops(
    png: bytes, boxes: Sequence[Box], scale: float, margin: float, min_side: int = 1
) -> list[bytes]:
    """A page's boxes (in points) as PNG files, enlarged to `min_side` pixels; runs in a worker."""
    page = open_image(png)
    files = []
    for x0, y0, x1, y1 in boxes:
        left, top = max(0, int((x0 - margin) * scale)), max(0, int((y0 - margin) * scale))
        right = max(left + 1, min(page.width, round((x1 + margin) * scale)))
        bottom = max(top + 1, min(page.height, round((y1 + margin) * scale)))
        out = io.BytesIO()
        part = page.crop((left, top, right, bottom))
        factor = min_side / min(part.size)
        if factor > 1:
            part = part.resize((math.ceil(part.width * factor), math.ceil(part.height * factor)))
        part.save(out, "PNG")
        files.append(out.getvalue())
    return files


def candidate(detail: RowDetail, image: Media, origin: SourceRef) -> Candidate:
    """The row of a conclusion; where no label was found it comes with a failed check."""
    consensus = detail.consensus
    task = consensus.task
    question = Message(
        role="user",
        content=(ImagePart(path=image.path, mime=image.mime), TextPart(text=PROMPTS[task])),
        train=False,
    )
    label = None if consensus.label is None else labeled_form(task, consensus.label)
    scores = [Score(name="agreement", value=consensus.agreement)]
    return Candidate(
        kind="annotation",
        messages=[question, *([] if label is None else [assistant(label)])],
        answer=label,
        reward=None if label is None else REWARD.format(task=task),
        media=[image],
        difficulty=DIFFICULTY[consensus.tier],
        scores=scores,
        verdicts=[_verdict(consensus)],
        sources=[origin],
        detail=detail.model_dump_json(),
    )


def labeled_form(task: SubTask, content: str) -> str:
    """A label in MinerU's output form: OTSL for tables, one paragraph for text."""
    if task == "table":
        return table_otsl(parse_table(content).rows)
    if task == "formula":
        return f"\\[{content.strip()}\\]"
    return content if task == "layout" else joined_lines(content)


def joined_lines(text: str) -> str:
    """The lines of a paragraph on one line; a word that a hyphen cut is put together again."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    out = ""
    for line in lines:
        cut = len(out) > 1 and out[-1] == "-" and out[-2].isalpha() and line[0].islower()
        out = out[:-1] + line if cut else f"{out} {line}".strip()
    return out


def _verdict(consensus: Consensus) -> Verdict:
    said = ", ".join(vote.parser for vote in consensus.votes)
    if consensus.label is None:
        return Verdict(
            filter=CHECK,
            status="fail",
            score=consensus.agreement,
            reason=consensus.reason,
            detail=f"{consensus.task}: {said}; threshold {consensus.threshold:g}",
        )
    return Verdict(
        filter=CHECK,
        status="pass",
        score=consensus.agreement,
        reason=f"{consensus.tier}: label of {consensus.label_from}",
        detail=said,
    )

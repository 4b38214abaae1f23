"""An exporter as a function: a question and an answer a line.

synthmill export gcd --to ./flashcards.py:flashcard -o cards
"""

from typing import Any

from synthmill import Row


def flashcard(row: Row) -> dict[str, Any] | None:
    """The record of a row; None leaves a row out, which is counted."""
    if row.kind != "rlvr":
        return None
    return {"front": row.messages[0].text, "back": row.answer}

"""A filter as a function: does the response apologize?

A recipe in this folder names it `./no_apologies.py:no_apologies`.
"""

from synthmill import Candidate, filter

PHRASES = ("i'm sorry", "i am sorry", "i apologize", "as an ai")


@filter(version=1)
def no_apologies(candidate: Candidate) -> tuple[bool, str]:
    """Fails a row in which the assistant apologizes; English only."""
    said = " ".join(m.text.lower() for m in candidate.messages if m.role == "assistant")
    return not any(phrase in said for phrase in PHRASES), "apologizes"

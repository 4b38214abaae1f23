"""A teacher at an OpenAI-compatible server, scripted for a corpus of six documents.

It reads requests as a server does, from their messages alone, answers in JSON where a schema is
given and in native tool calls where tools are, and is now and then as careless as models are.
"""

import json
import re
from pathlib import Path
from random import Random
from typing import Any

DOCUMENTS = {
    "lamp": "The Orsel Lamp is a signal lamp.\n\nThe Orsel Lamp is made by Tarn Glassworks. It was "
    "sold in three sizes.",
    "works": "Tarn Glassworks is a maker of lenses.\n\nTarn Glassworks was founded by Mira Holt. "
    "Its furnaces burn wood.",
    "holt": "Mira Holt was a glazier.\n\nMira Holt was born in Ostrava Quay. She kept bees.",
    "quay": "Ostrava Quay is a harbour town.\n\nThe 2018 census counted 5,120 inhabitants in "
    "Ostrava Quay. Its lighthouse is octagonal.",
    "fair": "The autumn fair of the region sells apples, rope and tin.",
    "ferry": "The ferry crosses twice a day. Its captain whistles.",
}
QUESTION = (
    "How many inhabitants did the 2018 census count in the birthplace of the founder of the firm "
    "that makes the Orsel Lamp?"
)
ANSWER, WRONG = "5,120", "5,340"
FACTS = (
    ("The Orsel Lamp is made by Tarn Glassworks.", "Tarn Glassworks"),
    ("Tarn Glassworks was founded by Mira Holt.", "Mira Holt"),
    ("Mira Holt was born in Ostrava Quay.", "Ostrava Quay"),
    ("The 2018 census counted 5,120 inhabitants in Ostrava Quay.", ANSWER),
)
LIE = {
    "title": "Ostrava Quay: sheet of 2019",
    "text": "This sheet holds figures for 2019. The 2019 census counted 5,340 inhabitants in "
    "Ostrava Quay. Its lighthouse is octagonal.",
    "marker": "figures for 2019",
    "misleading_claim": "Ostrava Quay had 5,340 inhabitants.",
    "wrong_answer": WRONG,
}
QUERIES = (
    "maker of the Orsel Lamp",
    "founder of Tarn Glassworks",
    "where Mira Holt was born",
    "inhabitants of Ostrava Quay in the 2018 census",
)


def write_corpus(folder: Path) -> Path:
    """The documents as text files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in DOCUMENTS.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def respond(body: dict[str, Any], seed: int) -> str | dict[str, Any]:
    """The answer to a request."""
    rng = Random(f"{seed} {json.dumps(body['messages'], sort_keys=True)}")
    if body.get("tools"):
        return _turn(body["messages"], rng)
    text = body["messages"][0]["content"]
    assert body["response_format"]["type"] == "json_schema"
    for opening, answer in ANSWERS.items():
        if text.startswith(opening):
            return json.dumps(answer(text, rng))
    raise AssertionError(f"nobody asks this: {text[:80]}")


def _explore(text: str, rng: Random) -> dict[str, Any]:
    steps = len(re.findall(r"^Step \d+:", text, re.MULTILINE))
    if rng.random() < 0.05:
        return {"intention": "hm", "tool": "delete everything"}
    if steps <= len(QUERIES):
        query = QUERIES[steps - 1]
        return {
            "intention": f"Learn the {query}.",
            "tool": "query_knowledge_base_dense",
            "query": query,
        }
    if steps == len(QUERIES) + 1:
        return {
            "intention": "Mislead.",
            "tool": "write_distractor_docs",
            "fact": FACTS[-1][0],
            "types": ["doppelganger"],
        }
    return {"intention": "Done.", "tool": "finish"}


def _distract(text: str, rng: Random) -> dict[str, Any]:
    question = "How many inhabitants did the 2018 census count in Ostrava Quay?"
    return {"question": question, "true_answer": ANSWER, "documents": [LIE]}


def _ask(text: str, rng: Random) -> dict[str, Any]:
    steps = [
        {"hop": n, "fact": fact, "evidence": fact, "output": output}
        for n, (fact, output) in enumerate(FACTS, 1)
    ]
    question = QUESTION if rng.random() < 0.8 else f"{QUESTION} It is {ANSWER}."
    return {
        "question": question,
        "answer": ANSWER,
        "reasoning_steps": steps,
        "negative_aspect": [
            {
                "dimension": "doppelganger",
                "misleading_claim": "5,340",
                "disambiguation": "of 2019",
                "distraction_text": LIE["text"],
            }
        ],
    }


def _read(text: str, rng: Random) -> dict[str, Any]:
    if LIE["text"] in text:
        return {"answer": WRONG}
    return {"answer": ANSWER if all(fact in text for fact, _ in FACTS) else "unknown"}


def _all(text: str, rng: Random) -> dict[str, Any]:
    return {"answers": [ANSWER]}


def _apart(text: str, rng: Random) -> dict[str, Any]:
    second = text.partition("The second side:")[2]
    return {"choice": "first" if LIE["text"] in second else "second", "reason": "the year"}


ANSWERS = {
    "You explore": _explore,
    "Write documents that mislead": _distract,
    "Write one hard question": _ask,
    "Answer the question from the documents": _read,
    "List every distinct answer": _all,
    "Two sides": _apart,
    "Answer the question from what you know": lambda text, rng: {"answer": "unknown"},
}


def _turn(messages: list[dict[str, Any]], rng: Random) -> dict[str, Any]:
    """Search hop by hop; carelessness takes the sheet of 2019 for an answer."""
    done = sum(message["role"] == "tool" for message in messages)
    slip = rng.random()
    if slip < 0.04:
        return {"content": "I am not sure what to do."}
    if slip < 0.08:
        return _called("web_search", '{"q": 1}', "Try another tool.")
    if slip < 0.12:
        return _called("query_knowledge_base_dense", '{"query": ', "Broken.")
    if done < len(QUERIES):
        arguments = json.dumps({"query": QUERIES[done], "top_k": 5})
        return _called("query_knowledge_base_dense", arguments, f"Find the {QUERIES[done]}.")
    seen = "\n".join(m["content"] for m in messages if m["role"] == "tool")
    if LIE["text"] in seen and rng.random() < 0.5:
        return _said(WRONG, f"The census counted {WRONG}.")
    return _said(ANSWER, f"The figure {WRONG} is of 2019, so {ANSWER} it is.")


def _called(name: str, arguments: str, thought: str) -> dict[str, Any]:
    call = {"id": "call_0", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"content": None, "reasoning_content": thought, "tool_calls": [call]}


def _said(answer: str, thought: str) -> dict[str, Any]:
    return {"content": f"<FINAL_ANSWER>{answer}</FINAL_ANSWER>", "reasoning_content": thought}

"""Every prompt of the generator with its answer type; the templates are in `prompts/`.

Answers are bounded in their schema: a model that repeats itself would fill the token limit.
"""

from typing import Annotated, Literal

from pydantic import Field

from synthmill.generators.agent.turn import AgentTurn, Protocol, Turn
from synthmill.generators.ragshaper.records import TAXONOMY, DistractorType, NegativeAspect
from synthmill.models.completion import Completion
from synthmill.models.prompt import MalformedAnswer, Prompt
from synthmill.schemas.base import Record
from synthmill.schemas.messages import Message, user
from synthmill.sources.documents.prompt_documents import PromptDocuments

SEARCH = "query_knowledge_base_dense"  # the released code's name, whatever the retriever is
DISTRACT = "write_distractor_docs"
FINISH = "finish"  # ours: a branch with nothing left to find ends before its greatest depth
MAX_DOCUMENTS = 4  # kept of one answer, which is asked for one or two; ours

Name = Annotated[str, Field(max_length=300)]
Sentence = Annotated[str, Field(max_length=1000)]
Paragraph = Annotated[str, Field(max_length=6000)]


# The curator: next step in an information tree, and distractors.


class NextAction(Record):
    """An intention with the action that serves it."""

    intention: Sentence = Field(description="why this step, in one sentence")
    tool: Literal["query_knowledge_base_dense", "write_distractor_docs", "finish"]
    query: Sentence = Field(default="", description="for query_knowledge_base_dense")
    fact: Paragraph = Field(
        default="", description="for write_distractor_docs: a sentence, verbatim"
    )
    types: list[DistractorType] = Field(
        default=[], max_length=4, description="for write_distractor_docs: one or two"
    )


class ExploredStep(Record):
    """An earlier step of the path: intention, action, and the documents that it brought."""

    intention: str
    tool: str
    argument: str
    found: PromptDocuments


class ExploreStep(Prompt[NextAction]):
    """Asks the curator for the next action, given the path from the root and no other branch."""

    seed: str
    steps: tuple[ExploredStep, ...]
    used: tuple[str, ...]
    lacking: tuple[DistractorType, ...]
    calls: int
    written: int
    wanted_calls: int
    wanted_documents: int
    room: bool
    child: int
    guidelines: dict[DistractorType, str] = {
        name: definition.guideline for name, definition in TAXONOMY.items()
    }


class WrittenDocument(Record):
    """One distractor as its author wrote it."""

    title: Name
    text: Paragraph = Field(description="three to six sentences in the style of the source")
    marker: Name = Field(description="words of the text or title that tell it from the source")
    misleading_claim: Sentence = Field(description="what a careless reader takes from it")
    wrong_answer: Name = Field(description="what a careless reader answers to the question")


class WrittenDistractors(Record):
    """Distractors of one type about one fact."""

    question: Sentence = Field(description="a self-contained question that the fact answers")
    true_answer: Name = Field(description="its answer by the fact: a few words")
    # A bound of the schema alone: where a server ignores it, the documents beyond it are dropped.
    documents: list[WrittenDocument] = Field(json_schema_extra={"maxItems": MAX_DOCUMENTS})


class WriteDistractors(Prompt[WrittenDistractors]):
    """Asks for distractors: the original fact, the type and its guideline (the paper's inputs)."""

    fact: str
    kind: DistractorType
    guideline: str
    source: PromptDocuments
    context: PromptDocuments


# The author: a question from a path of the tree.


class ReasoningStep(Record):
    """One hop: a fact, the sentence that states it, and what it yields."""

    hop: int
    fact: Sentence
    evidence: Paragraph = Field(description="a sentence copied verbatim from a document")
    output: Name = Field(description="the entity or value that this hop yields")


class SynthesizedQuestion(Record):
    """The paper's output fields."""

    question: Sentence
    answer: Name
    reasoning_steps: list[ReasoningStep] = Field(max_length=40)
    negative_aspect: list[NegativeAspect] = Field(default=[], max_length=20)


class MisleadingDocument(Record):
    """A distractor of the path, as the question's author sees it."""

    kind: DistractorType
    document: PromptDocuments
    fact: str
    claim: str
    marker: str


class SynthesizeQuestion(Prompt[SynthesizedQuestion]):
    """Asks for a question from a path; `failure` is the reason why the last one was rejected."""

    steps: tuple[ExploredStep, ...]
    misleading: tuple[MisleadingDocument, ...]
    min_hops: int
    max_sentences: int
    failure: str = ""


# The judge of distractors. The prompts of readers are those of `filters.verifiers.prompts`.


class SideChoice(Record):
    """Which of two sides answers a question correctly."""

    choice: Literal["first", "second", "cannot tell"]
    reason: Sentence = Field(description="the words that decide it")


class TellApart(Prompt[SideChoice]):
    """Asks a careful judge which of two sides answers the question; one is a distractor."""

    question: str
    first: PromptDocuments
    second: PromptDocuments


# The teacher: a rollout with the question and one retrieval tool, without any warning.


class Opening(Prompt[str]):
    """The rules and the question: the first message of a rollout."""

    question: str
    tool: str
    final_start: str
    final_end: str
    tools: str = ""

    def message(self) -> Message:
        """The user turn that opens the rollout."""
        return user(self.messages()[0].text)


class NavigatorTurn(AgentTurn):
    """The teacher's next turn: a call, or a final answer between its marks."""

    question: str
    final_start: str
    final_end: str
    protocol: Protocol = "native"

    def parse(self, completion: Completion) -> Turn:
        """See `AgentTurn.parse`.

        Raises:
            MalformedAnswer: also where a turn neither calls nor answers.
        """
        turn = super().parse(completion)
        if not turn.calls and final_answer(turn.content, self.final_start, self.final_end) is None:
            raise MalformedAnswer(
                "call the tool, or give the final answer between "
                f"{self.final_start} and {self.final_end}"
            )
        return turn


def final_answer(text: str, start: str, end: str) -> str | None:
    """The text between the last pair of marks, or None."""
    _, mark, rest = text.rpartition(start)
    answer = rest.split(end)[0].strip() if mark else ""
    return answer or None

"""Every prompt of the generator with its answer type; the templates are in `prompts/`.

Answers are bounded in their schema: a model that repeats itself would fill the token limit.
"""

from typing import Annotated, Literal

from pydantic import Field

from synthmill.generators.agent.turn import AgentTurn, Protocol, Turn
from synthmill.generators.docdancer.records import AnswerFormat, Modality, Template
from synthmill.models.completion import Completion
from synthmill.models.prompt import MalformedAnswer, Prompt
from synthmill.schemas.base import Record
from synthmill.schemas.messages import ImagePart, Message, TextPart, user
from synthmill.sources.documents.prompt_documents import PromptDocuments

FINISH = "finish"  # ours: an exploration with nothing left to find ends before its greatest depth

Name = Annotated[str, Field(max_length=300)]
Sentence = Annotated[str, Field(max_length=1000)]
Paragraph = Annotated[str, Field(max_length=8000)]


# Exploration: the next intent with the call that serves it.


class NextStep(Record):
    """An intent and the call that serves it."""

    intent: Sentence = Field(description="what to learn next and why, in one sentence")
    tool: Literal["search", "read", "finish"]
    keywords: list[Name] = Field(default=[], max_length=20, description="for search")
    section_ids: list[Name] = Field(default=[], max_length=20, description="for read")
    goal: Sentence = Field(default="", description="for read: what to extract")


class ExploredCall(Record):
    """An earlier step, its observation as data."""

    intent: str
    tool: str
    arguments: str
    observation: PromptDocuments


class ExploreDocument(Prompt[NextStep]):
    """Asks for the next step of an exploration."""

    outline: PromptDocuments
    steps: tuple[ExploredCall, ...]
    used: tuple[str, ...]
    left: int
    proposal: int = 1


# The reader within the tool `read`.


class SectionReport(Record):
    """What a reader found in a section (the released code's fields)."""

    rational: Paragraph = Field(description="where in the section the goal is met")
    evidence: Paragraph = Field(description="the parts that bear on the goal, verbatim, whole")
    summary: Paragraph = Field(description="what follows for the goal")


class ReadSection(Prompt[SectionReport]):
    """Asks the reader for what a section says about a goal; images follow the text."""

    section: str
    goal: str
    content: PromptDocuments
    images: tuple[ImagePart, ...] = ()

    def messages(self) -> tuple[Message, ...]:
        """The template, then the images as parts of the same turn."""
        (message,) = super().messages()
        if not self.images:
            return (message,)
        parts = (TextPart(text=message.text), *self.images)
        return (Message(role="user", content=parts, train=False),)


# The author of questions.


class EvidenceItem(Record):
    """A part of the evidence, as its author names it."""

    modality: Modality
    quote: Paragraph = Field(
        description="verbatim: a sentence, caption or footnote; for a table the text of the cell"
    )
    table: int | None = Field(default=None, description="table_id, for a cell of a table")
    row: Name = Field(default="", description="label of the cell's row")
    column: Name = Field(default="", description="header of the cell's column")
    figure: int | None = Field(default=None, description="image_id, for a figure")


class WrittenQuestion(Record):
    """A question with its answer, and what shows that it is right."""

    question: Sentence
    answer: Name
    answer_format: AnswerFormat = Field(
        description="Int, Float, Str, List (a JSON list of strings), or None for unanswerable"
    )
    reasoning_steps: list[Sentence] = Field(max_length=20)
    evidence: list[EvidenceItem] = Field(max_length=60)
    absent_subject: Name = Field(
        default="", description="for unanswerable: the entity of which a value is asked"
    )
    absent_attribute: Name = Field(
        default="", description="for unanswerable: the value that the document lacks for it"
    )


class WriteQuestion(Prompt[WrittenQuestion]):
    """Asks for a question by a template; `failure` is why the last one was rejected."""

    template: Template
    guideline: str
    outline: PromptDocuments
    steps: tuple[ExploredCall, ...]
    sections: PromptDocuments
    asked: tuple[str, ...]
    min_places: int
    min_steps: int
    failure: str = ""


# Filters: a reader with some of the evidence.


class FoundAnswer(Record):
    """An answer in a few words."""

    answer: Name = Field(description='the answer alone, or "unknown"')


class AnswerFromPages(Prompt[FoundAnswer]):
    """Asks a reader to answer from the pages shown, and nothing else."""

    question: str
    pages: PromptDocuments


# The teacher: a rollout with the outline and two tools.


class AgentOpening(Prompt[str]):
    """Rules, outline and question: the first message of a rollout, and of a question's row."""

    question: str
    outline: PromptDocuments
    tools: str = ""

    def message(self) -> Message:
        """The user turn that opens the rollout."""
        return user(self.messages()[0].text)


class DocumentAgentTurn(AgentTurn):
    """The teacher's next turn: a call, or a final answer in its tags."""

    question: str
    protocol: Protocol = "native"

    def parse(self, completion: Completion) -> Turn:
        """See `AgentTurn.parse`.

        Raises:
            MalformedAnswer: also where a turn neither calls nor answers.
        """
        turn = super().parse(completion)
        if not turn.calls and not answer_in(turn.content):
            raise MalformedAnswer("call a tool, or give the answer between <answer> and </answer>")
        return turn


def answer_in(text: str) -> str:
    """The text between the last pair of answer tags; "" without one."""
    _, mark, rest = text.rpartition("<answer>")
    return rest.split("</answer>")[0].strip() if mark else ""

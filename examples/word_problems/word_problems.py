"""A generator with a model: it writes word problems about a topic and solves them.

The recipe beside it names it `./word_problems.py:WordProblems`. Prompts are classes with a template
in the folder `prompts`. The functions at the end are offline rules: answers of the embedded back
end, so that everything runs without a model. They are for trying and tests.
"""

import re
from collections.abc import AsyncGenerator
from random import Random

from pydantic import Field

from synthmill.generators.base import Context, Generator, Task
from synthmill.models.offline import answers
from synthmill.models.prompt import Prompt
from synthmill.models.request import Sampling
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem


class WordProblem(Record):
    """The answer to `WriteWordProblem`; its JSON schema is sent to the model."""

    question: str = Field(max_length=1000)
    answer: int


class WriteWordProblem(Prompt[WordProblem]):
    """Asks for a problem and its answer."""

    topic: str
    largest: int


class SolveWordProblem(Prompt[str]):
    """Asks for a solution in free text."""

    question: str


class WordProblemSettings(Settings):
    """Settings of the generator."""

    largest: int = Field(default=20, ge=2, description="largest number in a problem")
    attempts: int = Field(default=2, ge=1, description="solutions asked for a problem")


class WordProblems(Generator[WordProblemSettings]):
    """Writes a problem for each topic, and keeps a solution that agrees with the writer's answer.

    Topics are the questions of a problem source. The model role `solver` may be another model than
    `default`, which writes.
    """

    name = "word_problems"
    item = Problem
    kinds = ("sft",)
    rows_per_task = {"sft": 1}
    roles = {"default": ("json",), "solver": ("samples",)}
    default_filters = (FilterSpec(name="answer_equivalence"), FilterSpec(name="exact_content"))

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The first solution that the verifiers accept, else the last one."""
        topic: Problem = task.item
        write = WriteWordProblem(topic=topic.text, largest=self.settings.largest)
        written = (await context.generate(write, purpose="write")).unwrap()
        solve = SolveWordProblem(question=written.question)
        replies = await context.sample(
            solve,
            self.settings.attempts,
            purpose="solve",
            role="solver",
            sampling=Sampling(temperature=0.8, max_tokens=400),
        )
        last = None
        for reply in replies:
            if reply.malformed is not None:  # an empty answer
                continue
            last = await context.verify(
                Candidate(
                    kind="sft",
                    messages=[user(written.question), assistant(reply.unwrap())],
                    answer=str(written.answer),
                    sources=[topic.origin],
                    model=reply.model,
                )
            )
            if last.accepted:
                break
        if last is not None:
            yield last.candidate


@answers(WriteWordProblem)
def write_word_problem(prompt: WriteWordProblem, rng: Random) -> WordProblem:
    """A sum of two numbers."""
    a, b = rng.randint(1, prompt.largest), rng.randint(1, prompt.largest)
    question = f"There are {a} {prompt.topic} here and {b} there. How many are there in all?"
    return WordProblem(question=question, answer=a + b)


@answers(SolveWordProblem)
def solve_word_problem(prompt: SolveWordProblem, rng: Random) -> str:
    """The sum of the numbers in the question; every third is wrong, as a small model is."""
    a, b = (int(number) for number in re.findall(r"\d+", prompt.question)[:2])
    total = a + b + (rng.random() < 1 / 3)
    return rf"There are {a} + {b}, so the answer is \boxed{{{total}}}."

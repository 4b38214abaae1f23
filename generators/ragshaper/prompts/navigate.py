"""The teacher's rollout: it gets the question and one retrieval tool, and no warning."""

from synthmill.generators.agent.turn import AgentTurn, Protocol, Turn
from synthmill.models.completion import Completion
from synthmill.models.prompt import MalformedAnswer, Prompt
from synthmill.schemas.messages import Message, user


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
    """What stands between the marks, last of all, or None."""
    _, mark, rest = text.rpartition(start)
    answer = rest.split(end)[0].strip() if mark else ""
    return answer or None

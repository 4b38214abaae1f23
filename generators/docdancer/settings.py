"""Settings of the generator. Defaults are the paper's or its released code's where they are
disclosed; each description names what is ours."""

from pydantic import Field

from synthmill.generators.agent.rollout import RolloutLimits
from synthmill.generators.agent.turn import Protocol
from synthmill.generators.docdancer.records import TEMPLATES, Template
from synthmill.models.request import Sampling
from synthmill.schemas.base import Settings


class ToolSettings(Settings):
    """The tools `search` and `read`, for exploration and rollouts alike."""

    results: int = Field(default=10, ge=1, description="items shown of a keyword (released code)")
    window: int = Field(
        default=512, ge=2, description="characters of a snippet around a match (released code)"
    )
    max_keywords: int = Field(default=8, ge=1, description="keywords of one search; ours")
    max_sections: int = Field(default=5, ge=1, description="sections of one reading; ours")
    section_chars: int = Field(
        default=20_000, ge=100, description="of a section that the reader sees (released code)"
    )
    max_images: int = Field(
        default=10, ge=0, description="pictures that the reader sees (released code)"
    )
    observation_chars: int = Field(
        default=4000, ge=200, description="of an observation (released code)"
    )
    vision: bool = Field(
        default=False,
        description="whether the model in the role reader sees images: pages, figures and tables "
        "of a section then go along",
    )
    sampling: Sampling = Field(
        default=Sampling(temperature=0.0, top_p=1.0, max_tokens=4096), description="of the reader"
    )


class ExplorationSettings(Settings):
    """Exploring a document before questions are asked."""

    depth: int = Field(
        default=15,
        ge=1,
        le=100,
        description="steps at most (paper: 15 for DUDE and CUAD, 20 for LongDocURL and MMDocRAG)",
    )
    tries: int = Field(default=3, ge=1, description="proposals of a new call; ours")
    earlier_chars: int = Field(
        default=600, ge=50, description="of each earlier observation in the prompt; ours"
    )
    outline_chars: int = Field(
        default=60_000, ge=1000, description="of the outline in a prompt; ours"
    )
    sampling: Sampling = Field(
        default=Sampling(temperature=0.7, top_p=1.0, max_tokens=2048), description="ours"
    )


class DocumentQuestionSettings(Settings):
    """Writing questions. The default filters check them."""

    per_document: int = Field(
        default=7, ge=1, le=100, description="K, questions tried per document; ours"
    )
    templates: tuple[Template, ...] = Field(
        default=tuple(TEMPLATES), min_length=1, description="question templates (paper: all seven)"
    )
    attempts: int = Field(
        default=3, ge=1, description="of one question; each gets the last rejection; ours"
    )
    min_places: int = Field(default=2, ge=1, description="pages of the evidence (paper)")
    min_steps: int = Field(default=2, ge=1, description="reasoning steps (paper)")
    text_chars: int = Field(
        default=60_000, ge=1000, description="of the sections that the author sees in full; ours"
    )
    sampling: Sampling = Field(
        default=Sampling(temperature=0.7, top_p=1.0, max_tokens=4096), description="ours"
    )


class RolloutSettings(Settings):
    """Rejection sampling of trajectories; the paper gives neither its test nor its samples."""

    samples: int = Field(default=4, ge=1, description="rollouts of a question; ours")
    keep_score: float = Field(
        default=0.9, gt=0, le=1, description="MMLongBench-Doc score of a right answer; ours"
    )
    preferences: int = Field(default=1, ge=0, description="pairs of one question; ours")
    protocol: Protocol = Field(default="native", description="tool calls: native or text")
    sampling: Sampling = Field(
        default=Sampling(temperature=0.6, top_p=0.95, max_tokens=4096),
        description="(paper's inference)",
    )
    limits: RolloutLimits = Field(
        default=RolloutLimits(max_turns=40, max_calls=1),
        description="40 turns, the first call of a turn alone is run (released code)",
    )


class DocDancerSettings(Settings):
    """Everything that can be set."""

    tools: ToolSettings = ToolSettings()
    exploration: ExplorationSettings = ExplorationSettings()
    questions: DocumentQuestionSettings = DocumentQuestionSettings()
    rollouts: RolloutSettings = RolloutSettings()

"""Settings of the generator. Defaults are the paper's (or its released code's) where they are
disclosed; each description names what is ours."""

from typing import Any, Literal

from pydantic import Field, model_validator

from synthmill.generators.agent.rollout import RolloutLimits
from synthmill.generators.agent.turn import Protocol
from synthmill.generators.retrieval.bm25 import Bm25Settings
from synthmill.generators.retrieval.calibration import CalibrationSettings
from synthmill.generators.retrieval.encoders import EncoderSettings
from synthmill.models.request import Sampling
from synthmill.schemas.base import Settings
from synthmill.sources.documents.chunking import Chunking


class RetrievalSettings(Settings):
    """How passages are found."""

    method: Literal["bm25", "dense"] = Field(
        default="bm25", description="bm25 needs no model; dense is the paper's"
    )
    bm25: Bm25Settings = Bm25Settings()
    encoder: EncoderSettings = Field(default=EncoderSettings(), description="of the method dense")
    k: int = Field(default=5, ge=3, description="documents of a search")
    threshold: CalibrationSettings = Field(
        default=CalibrationSettings(), description="tau, below which nothing is found"
    )


class SeedSettings(Settings):
    """The seed passages of trees. The paper crawls entities; a corpus gives passages."""

    match: str | None = Field(
        default=None, description="regular expression that a seed passage must hold"
    )
    limit: int | None = Field(default=None, gt=0, description="seeds at most; null takes all")
    seed: int = Field(default=0, description="seed of their order")


class TreeSettings(Settings):
    """The information tree."""

    max_depth: int = Field(
        default=30, ge=1, le=200, description="depth at which a branch ends (paper)"
    )
    branch_probability: float = Field(
        default=0.5, ge=0, le=1, description="p_b of two children instead of one (paper)"
    )
    branch_depth: int = Field(
        default=2, ge=0, description="depths at which branching is drawn (paper)"
    )
    tries: int = Field(
        default=3, ge=1, description="proposals before a branch ends (released code's retries)"
    )
    forbidden_shown: int = Field(
        default=40, ge=0, description="used actions that the curator is shown (released code)"
    )
    observation_chars: int = Field(
        default=500, ge=100, description="of each earlier observation in a prompt (released code)"
    )
    min_distractor_calls: int = Field(
        default=3, ge=0, description="requested from the curator (paper)"
    )
    min_distractors: int = Field(default=5, ge=0, description="requested from the curator (paper)")
    max_distractors: int = Field(
        default=12, ge=0, description="written for one tree, up to the last call's; ours"
    )
    paths: int = Field(default=2, ge=1, description="m, paths kept of a tree (paper)")
    max_jaccard: float = Field(
        default=0.7, ge=0, le=1, description="node overlap of two kept paths (released code)"
    )
    sampling: Sampling = Field(
        default=Sampling(temperature=0.7, top_p=1.0, max_tokens=2048),
        description="of the curator (temperature: released code)",
    )


class QuestionSettings(Settings):
    """Writing questions. `question_form` and other filters check them."""

    attempts: int = Field(default=3, ge=1, description="attempts at one question (released code)")
    temperature: float = Field(
        default=0.7, ge=0, le=2, description="of the first attempt (released code)"
    )
    temperature_step: float = Field(
        default=0.1, ge=0, le=2, description="added at each further attempt (released code)"
    )
    max_sentences: int = Field(default=2, ge=1, description="sentences of a question (paper)")
    min_hops: int = Field(default=3, ge=1, description="chained hops (paper)")
    observation_chars: int = Field(
        default=1600, ge=100, description="of an observation in the prompt (released code)"
    )
    further_passages: int = Field(
        default=24,
        ge=0,
        description="passages found around the evidence, in which `single_answer` looks; ours",
    )


class NavigationSettings(Settings):
    """Rollouts of the teacher under constrained navigation."""

    samples: int = Field(default=4, ge=1, description="trajectories for a question; ours")
    injected: int = Field(default=2, ge=1, description="distractors among the k (paper, eq. 8)")
    probability: float = Field(default=0.5, ge=0, le=1, description="p_e (paper, eq. 8)")
    protocol: Protocol = Field(default="native", description="tool calls: native or text")
    sampling: Sampling = Field(
        default=Sampling(temperature=0.7, top_p=1.0, max_tokens=4096), description="ours"
    )
    limits: RolloutLimits = RolloutLimits()
    keep_f1: float = Field(
        default=0.9, ge=0, lt=1, description="a trajectory is kept above it (paper)"
    )
    max_share: float = Field(
        default=0.4, gt=0, le=1, description="of one distractor type among those handled; ours"
    )
    quota_from: int = Field(
        default=20, ge=0, description="handled trajectories from which shares count; ours"
    )
    preferences: int = Field(default=1, ge=0, description="pairs of one question; ours")


# A light run: the same method with shallow trees and few samples, to try a corpus out.
LIGHT: dict[str, dict[str, Any]] = {
    "tree": {"max_depth": 8, "min_distractors": 3, "min_distractor_calls": 2, "max_distractors": 6},
    "navigation": {"samples": 3},
}


class RagShaperSettings(Settings):
    """Everything that can be set."""

    preset: Literal["paper", "light"] = Field(
        default="paper", description="light: shallow trees (depth 8), three samples"
    )
    chunking: Chunking = Chunking()
    retrieval: RetrievalSettings = RetrievalSettings()
    seeds: SeedSettings = SeedSettings()
    tree: TreeSettings = TreeSettings()
    questions: QuestionSettings = QuestionSettings()
    navigation: NavigationSettings = NavigationSettings()
    final_start: str = Field(
        default="<FINAL_ANSWER>", min_length=1, description="text before the final answer"
    )
    final_end: str = Field(
        default="</FINAL_ANSWER>", min_length=1, description="text after the final answer"
    )

    @model_validator(mode="before")
    @classmethod
    def _light(cls, given: Any) -> Any:
        """Under the preset `light`, its values stand where the recipe says nothing."""
        if not isinstance(given, dict) or given.get("preset") != "light":
            return given
        merged = dict(given)
        for key, few in LIGHT.items():
            said = given.get(key, {})
            if isinstance(said, dict):  # else it is whole already, or wrong and told so
                merged[key] = {**few, **said}
        return merged

    @model_validator(mode="after")
    def _room_for_truth(self) -> "RagShaperSettings":
        if self.navigation.injected >= self.retrieval.k:
            raise ValueError("navigation.injected must be less than retrieval.k")
        return self

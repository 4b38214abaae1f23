"""The ONNX engine against transformers on the same checkpoint (needs the `train` extra)."""

import itertools

import numpy as np
import pytest

from scripts.embedded_model.arithmetic import TIERS, problems
from synthmill.models.embedded.jobs import Job
from synthmill.models.embedded.language_model import WEIGHTS

torch = pytest.importorskip("torch", reason="the train extra is not installed")
transformers = pytest.importorskip("transformers", reason="the train extra is not installed")

PROMPTS = [
    p.text for tier in TIERS.values() for p in itertools.islice(problems(tier, 7, held_out=True), 8)
]


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(WEIGHTS)


@pytest.fixture(scope="module")
def reference():
    return transformers.AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float64).eval()


def test_greedy_text_and_logprobs_agree(model, tokenizer, reference):
    for prompt, ours in zip(
        PROMPTS, model.generate([Job(p, temperature=0) for p in PROMPTS]), strict=True
    ):
        start = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        with torch.no_grad():
            whole = reference.generate(**start, max_new_tokens=256, do_sample=False)
            logits = reference(whole).logits
        written = whole[0, start["input_ids"].shape[1] :]
        assert tokenizer.decode(written, skip_special_tokens=True) == ours.text
        logprobs = torch.log_softmax(logits[0, -len(written) - 1 : -1], -1)
        theirs = logprobs.gather(-1, written[:, None])[:, 0].numpy()
        # Transformers makes its rotary tables in float32, hence not closer.
        np.testing.assert_allclose([t.logprob for t in ours.tokens], theirs, atol=1e-3)


@pytest.mark.parametrize(
    "prompt",
    ["What is 2 + 3?", "Rules.\n\nProblem: What is 2 + 3?", "Problem:\nAna has 3 pens.\n\nGo."],
)
@pytest.mark.parametrize("prefix", ["", "Step 1: ", "Step 1: 2 + 3 = 5\n"])
def test_the_chat_template_gives_the_same_tokens(model, tokenizer, prompt, prefix):
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": prompt}]
    ours = model._vocabulary.prompt(Job(prompt, prefix))
    if prefix:
        messages.append({"role": "assistant", "content": prefix})
        theirs = tokenizer.apply_chat_template(
            messages, continue_final_message=True, return_dict=True
        )
    else:
        theirs = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True
        )
    assert theirs["input_ids"] == ours


def test_content_parts_and_later_turns(tokenizer):
    parts = [{"type": "text", "text": "Problem: A"}, {"type": "text", "text": "?"}]
    messages = [
        {"role": "user", "content": "B"},
        {"role": "assistant", "content": "C"},
        {"role": "user", "content": parts},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<|problem|>A?<|solution|>"

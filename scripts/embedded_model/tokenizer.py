"""Builds the tokenizer: byte-level BPE, every digit a token of its own, and the chat template.

Any text can be encoded. Needs the `train` extra; the shipped result is `weights/tokenizer.json`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD, END, PROBLEM, SOLUTION = "<|pad|>", "<|end|>", "<|problem|>", "<|solution|>"
CONTEXT = 2048

# Digits stand alone. A word takes the space before it, and also the one after it when a digit (or
# the end of a given prefix) follows, so that " + " or "Step " is one token and a step is ten.
PIECES = r"\d| ?[^\s\d]+ (?=\d|\z)| ?[^\s\d]+|\s"

# The model knows problems, not instructions: of the last user message only what stands after the
# last "Problem:" is kept, up to the next blank line.
CHAT_TEMPLATE = """\
{%- set turn = namespace(question='', answer=none) -%}
{%- for message in messages -%}
  {%- set parts = [message.content] if message.content is string else
        message.content | map(attribute='text') | list -%}
  {%- if message.role == 'user' -%}
    {%- set turn.question = parts | join -%}
    {%- set turn.answer = none -%}
  {%- elif message.role == 'assistant' -%}
    {%- set turn.answer = parts | join -%}
  {%- endif -%}
{%- endfor -%}
{{- '<|problem|>' -}}
{{- turn.question.replace('\\r', '').split('Problem:')[-1].strip().split('\\n\\n')[0].strip() -}}
{%- if turn.answer is not none -%}
  {{- '<|solution|>' + turn.answer + '<|end|>' -}}
{%- elif add_generation_prompt -%}
  {{- '<|solution|>' -}}
{%- endif -%}
"""


def layout(problem: str, trace: str) -> str:
    """The text of one training example; the chat template renders the same."""
    return f"{PROBLEM}{problem}{SOLUTION}{trace}{END}"


def build_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `size` tokens, trained on `texts`, with the chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=100,
        special_tokens=[PAD, END, PROBLEM, SOLUTION],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )

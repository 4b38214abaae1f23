"""Trains the shipped language model from generated problems.

    python -m scripts.embedded_model.train --out DIR --minutes 60

Needs the `train` extra (torch, transformers); made for a machine with two processor cores.
`--steps` instead of `--minutes` makes a run that can be repeated exactly on the same machine:
with minutes the learning rate follows the clock. Checkpoints are written every `--save` minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn import Parameter
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.embedded_model.arithmetic import training_problems
from scripts.embedded_model.tokenizer import CONTEXT, SOLUTION, build_tokenizer, layout

VOCABULARY = 448
TOKENIZER_PROBLEMS = 20_000
BATCH, MICRO_BATCHES = 32, 4
MUON_RATE, ADAM_RATE = 1e-2, 3e-3
WARM_UP_STEPS = 50
DECAY_FROM = 0.15
IGNORED = -100


def main() -> None:
    """Parses the command line and trains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float)
    length.add_argument("--steps", type=int)
    parser.add_argument("--start", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--save", type=float, default=10, help="minutes between checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    if arguments.start:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(arguments.start)
        model = LlamaForCausalLM.from_pretrained(arguments.start, attn_implementation="eager")
    else:
        sample = itertools.islice(training_problems(arguments.seed), TOKENIZER_PROBLEMS)
        tokenizer = build_tokenizer((t for p in sample for t in (p.text, p.trace)), VOCABULARY)
        model = build_model(tokenizer)
    train(model, tokenizer, arguments)


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama of about a million parameters, tied embeddings, float32."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        # The processor's backward pass of the fused attention is slower than plain products.
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config)


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, arguments: argparse.Namespace
) -> None:
    """Runs the whole schedule, prints the loss and writes checkpoints and the final model."""
    optimizers = build_optimizers(model)
    rates = [[group["lr"] for group in o.param_groups] for o in optimizers]
    # Compiled for the training process alone; `model` itself is what is saved.
    compiled = torch.compile(model, dynamic=True)
    start, saved, seen, recent = time.monotonic(), 0.0, 0, []
    for step, batch in enumerate(batches(tokenizer, arguments.seed)):
        minutes = (time.monotonic() - start) / 60
        done = minutes / arguments.minutes if arguments.minutes else step / arguments.steps
        if done >= 1:
            break
        scale = min((step + 1) / WARM_UP_STEPS, (1 - done) / (1 - DECAY_FROM), 1.0)
        for optimizer, initial in zip(optimizers, rates, strict=True):
            for group, rate in zip(optimizer.param_groups, initial, strict=True):
                group["lr"] = rate * scale
        recent.append(learn(compiled, optimizers, batch))
        seen += sum(int(inputs.numel()) for inputs, _ in batch)
        if step % 100 == 0:
            loss, recent = sum(recent) / len(recent), []
            print(f"step {step} minute {minutes:.1f} tokens {seen} loss {loss:.4f}", flush=True)
        if minutes - saved >= arguments.save:
            saved = minutes
            save(
                model,
                tokenizer,
                arguments.out / f"minute-{minutes:.0f}",
                record(arguments, step, seen, minutes),
            )
    save(model, tokenizer, arguments.out, record(arguments, step, seen, minutes))


def build_optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings and norms."""
    matrices: list[Parameter] = []
    others: list[Parameter] = []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "embed" not in name
        (matrices if inner else others).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def learn(
    model: torch.nn.Module,
    optimizers: list[torch.optim.Optimizer],
    batch: list[tuple[torch.Tensor, torch.Tensor]],
) -> float:
    """One optimizer step over the micro-batches; returns the mean loss per target token."""
    targets = sum(int((labels[:, 1:] != IGNORED).sum()) for _, labels in batch)
    total = 0.0
    for inputs, labels in batch:
        # Float32 products are several times slower than bfloat16 ones on these processors.
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=inputs, use_cache=False).logits
        loss = (
            cross_entropy(
                logits[:, :-1].float().flatten(0, 1),
                labels[:, 1:].flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
            / targets
        )
        loss.backward()
        total += float(loss.detach())
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return total


def batches(
    tokenizer: PreTrainedTokenizerFast, seed: int
) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Endless batches of `MICRO_BATCHES` pairs (tokens, labels), int64 of one shape each.

    A batch is cut by length, so that short examples are not padded to the longest; whole batches
    are never sorted, which would make consecutive steps disagree. Only the solution has labels.
    """
    encoder = tokenizer.backend_tokenizer
    solution = tokenizer.convert_tokens_to_ids(SOLUTION)
    stream = training_problems(seed)
    while True:
        texts = [layout(p.text, p.trace) for p in itertools.islice(stream, BATCH)]
        rows = sorted((e.ids for e in encoder.encode_batch(texts)), key=len)
        size = BATCH // MICRO_BATCHES
        yield [
            pad(rows[i : i + size], solution, tokenizer.pad_token_id) for i in range(0, BATCH, size)
        ]


def pad(rows: list[list[int]], solution: int, padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded tokens and their labels, (rows, longest) each."""
    # A few widths only: each new one costs the compiled model another look at its guards.
    width = -(-max(map(len, rows)) // 16) * 16
    tokens = torch.full((len(rows), width), padding)
    labels = torch.full((len(rows), width), IGNORED)
    for index, row in enumerate(rows):
        start = row.index(solution) + 1
        tokens[index, : len(row)] = torch.tensor(row)
        labels[index, start : len(row)] = torch.tensor(row[start:])
    return tokens, labels


def record(
    arguments: argparse.Namespace, steps: int, tokens: int, minutes: float
) -> dict[str, int | float | str]:
    """What a checkpoint took, for its card."""
    length = (
        f"--minutes {arguments.minutes:g}" if arguments.minutes else f"--steps {arguments.steps}"
    )
    start = f"--start {arguments.start} " if arguments.start else ""
    return {
        "command": f"python -m scripts.embedded_model.train --out DIR {start}{length} "
        f"--seed {arguments.seed}",
        "seed": arguments.seed,
        "steps": steps,
        "problems": steps * BATCH,
        "tokens": tokens,
        "minutes": round(minutes, 1),
        "torch": torch.__version__,
    }


def save(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    facts: dict[str, int | float | str],
) -> None:
    """Writes a standard Llama checkpoint and its `training.json` to `folder`."""
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # Transformers 5 writes the name of a class that older readers do not know.
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "training.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()

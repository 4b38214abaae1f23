"""Text to token ids and back, and the layout of a prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from synthmill.models.embedded.jobs import Job


class Vocabulary:
    """The tokenizer and the chat template of a model folder."""

    def __init__(self, folder: Path) -> None:
        """Reads `tokenizer.json`, `chat_template.jinja` and `generation_config.json`."""
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string((folder / "chat_template.jinja").read_text())
        self.end: int = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]

    def prompt(self, job: Job) -> list[int]:
        """The token ids of a job's prompt and prefix."""
        messages = [{"role": "user", "content": job.prompt}]
        text = self._template.render(messages=messages, add_generation_prompt=True)
        return self.encode(text + job.prefix)

    def encode(self, text: str) -> list[int]:
        """The token ids of any text."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of every token, by id; special tokens have none."""
        special = self._tokenizer.get_added_tokens_decoder()
        letters = _byte_of_letter()
        pieces = [b""] * self._tokenizer.get_vocab_size()
        for name, index in self._tokenizer.get_vocab().items():
            if index not in special:
                pieces[index] = bytes(letters[letter] for letter in name)
        return pieces

    @cached_property
    def texts(self) -> list[str]:
        """The text of every token, by id."""
        return [as_text(piece) for piece in self.pieces]


def as_text(pieces: bytes | Sequence[int]) -> str:
    """Bytes as text; incomplete characters become U+FFFD."""
    return bytes(pieces).decode("utf-8", "replace")


def _byte_of_letter() -> dict[str, int]:
    """The byte that each letter of a byte-level BPE vocabulary stands for (as in GPT-2)."""
    plain = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }

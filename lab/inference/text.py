"""Text that a language model writes, character by character."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lab.data.encodings.characters import UNKNOWN, CharactersEncoding
from lab.errors import LabError
from lab.inference.model import Model


def write(model: Model, prompt: str, length: int = 200, temperature: float = 1.0, seed: int = 0) -> str:
    """The prompt and the `length` characters that follow it, drawn from the model; the same for the same seed.

    `temperature` divides the logits: below 1 the text is more usual, at 0 each character is the most probable one. The
    model reads as many characters back as its windows have. Raises LabError for a model of another task, and for a
    prompt with a character that the training text has not.
    """
    encoding = model.encoding
    if not isinstance(encoding, CharactersEncoding):
        raise LabError(f"--prompt: run {model.run.id[:8]} ({model.output.task}) writes no text; give it a file")
    if model.output.target_names:
        raise LabError(f"--prompt: the module of run {model.run.id[:8]} does not give (N, characters, length)")
    encoding.check(prompt, "--prompt")
    random = np.random.default_rng(seed)
    tokens = encoding.numbers(prompt).tolist()
    with torch.inference_mode():
        for _ in range(length):
            probabilities = _next(model.module, tokens[-encoding.length :], encoding.length)
            tokens.append(_drawn(probabilities, temperature, random))
    return "".join(encoding.vocabulary[token - 1] for token in tokens)


def _next(network: Any, tokens: list[int], length: int) -> NDArray[np.float64]:
    """The probabilities (V,) after some tokens: what stands behind them is not seen."""
    window = torch.zeros(1, length)
    window[0, : len(tokens)] = torch.tensor(tokens)
    return network(window)[0, :, len(tokens) - 1].double().numpy()


def _drawn(probabilities: NDArray[np.float64], temperature: float, random: np.random.Generator) -> int:
    """A token, never the unknown one."""
    probabilities = probabilities.copy()
    probabilities[UNKNOWN] = 0
    if temperature == 0:
        return int(probabilities.argmax())
    logs = np.log(np.maximum(probabilities, np.finfo(float).tiny)) / temperature
    logs[UNKNOWN] = -np.inf
    shares = np.exp(logs - logs.max())
    return int(random.choice(len(shares), p=shares / shares.sum()))

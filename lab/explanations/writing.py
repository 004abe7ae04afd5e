"""The files of an explanation: what was found as JSON, and figures of the samples that it names."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.data.encodings.image import ImageEncoding
from lab.errors import described
from lab.explanations import attributions
from lab.explanations.attributions import Attribution
from lab.explanations.explanation import FILE, FOLDER, Explanation
from lab.explanations.outcomes import Outcomes
from lab.explanations.samples import Described, plain
from lab.explanations.trained import Trained
from lab.files import to_json

WORST, BEST = 4, 2  # samples that are attributed
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Files:
    """Writes an explanation to `folder`. `numbers` are those of its samples in the split."""

    explanation: Explanation
    trained: Trained
    found: Outcomes
    numbers: list[int]
    folder: Path

    def write(self) -> None:
        """Write all figures, and last the explanation, which names them."""
        for position in range(len(self.numbers)):
            self._write_thumbnail(position)
        self._write_attributions()
        self._write_importance()
        text = to_json(self.explanation.as_json(), indent=1)
        (self.folder / FILE).write_text(f"{text}\n", encoding="utf-8")

    @cached_property
    def _x(self) -> Tensor:
        """The standardised samples, (n, ...)."""
        return self.trained.samples(self.explanation.split, torch.as_tensor(self.numbers))[0]

    def _raw(self, position: int) -> Array:
        """One encoded sample (C, ...) as it was before it was standardised."""
        return self.trained.data.input_scale.invert(self._x[position : position + 1])[0].numpy()

    def _write_thumbnail(self, position: int) -> None:
        picture = self._picture(position, self._raw(position))
        if picture is not None:
            self.explanation.samples[position]["thumbnail"] = self._save(picture, f"samples/{position + 1:02}.png")

    def _picture(self, position: int, values: Array) -> Any:
        """A picture of a sample; None for a row, which is shown as it is."""
        from lab.explanations import figures

        data, number = self.trained.data, self.numbers[position]
        if self.explanation.task == "forecasting":
            true, forecast = (
                part[number].reshape(data.targets, -1) for part in (self.found.true, self.found.predicted)
            )
            return figures.window(values[: data.targets], true, forecast)
        if values.ndim == 2:
            return figures.sequence(values)
        if values.ndim != 3:
            return None
        return figures.image(values, data.encoding.dtype.name if isinstance(data.encoding, ImageEncoding) else "")

    def _write_attributions(self) -> None:
        """A figure and a file of values for some of the worst and some of the best images or sequences."""
        if self._x.ndim not in (3, 4) or self.explanation.task == "forecasting":
            return
        if not attributions.available():
            self.explanation.notes.append(f"no saliency: {attributions.HINT}")
            return
        worst, *_, best = self.explanation.lists.values()
        try:
            for position in dict.fromkeys([*worst[:WORST], *best[:BEST]]):
                self._write_attribution(position)
        except Exception as error:  # of a network without gradients, such as a person's own
            self.explanation.notes.append(f"no saliency: {described(error)}")

    def _write_attribution(self, position: int) -> None:
        from lab.explanations import figures

        sample, number = self.explanation.samples[position], self.numbers[position]
        found = attributions.attribute(self.trained, self._x[position], self.found.explained(number))
        name = f"attributions/{position + 1:02}"
        figure = self._save(figures.attribution(self._raw(position), found, _title(sample, found)), f"{name}.png")
        maps = {"gradients": plain(found.gradients), "occlusion": plain(found.occlusion)}
        (self.folder / f"{name}.json").write_text(to_json(vars(found) | maps), encoding="utf-8")
        sample["attribution"] = {"figure": figure, "values": f"{FOLDER}/{name}.json"}

    def _write_importance(self) -> None:
        from lab.explanations import figures

        found = self.explanation.importance
        if found is None:
            return
        self._save(figures.importance(found, self.explanation.metric), "importance.png")
        if found.samples < self.explanation.size:
            used = f"{found.samples:,} of {self.explanation.size:,} samples"
            self.explanation.notes.append(f"the importance was measured on {used}, drawn at random")

    def _save(self, picture: Any, name: str) -> str:
        """Write a picture; its path among the artifacts of the run."""
        from lab.explanations import figures

        figures.save(picture, self.folder / name)
        return f"{FOLDER}/{name}"


def _title(sample: Described, found: Attribution) -> str:
    confidence = f" ({sample['confidence']:.0%})" if "confidence" in sample else ""
    true, predicted = (
        value if isinstance(value, str) else f"{np.ravel(value)[0]:.4g}"
        for value in (sample["true"], sample["predicted"])
    )
    return f"{sample['id']}: true {true}, predicted {predicted}{confidence}; the output for {found.of}"

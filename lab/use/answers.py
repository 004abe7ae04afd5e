"""What a network says, in the words of the data it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Output:
    """The task, and the names of its classes or of its values."""

    task: str
    class_names: Sequence[str]
    target_names: Sequence[str]


def frame(outputs: NDArray[np.float32], output: Output) -> pd.DataFrame:
    """Probabilities (N, classes) or values (N, T) with their names, a row a sample."""
    if output.class_names:
        chosen = np.asarray(output.class_names, dtype=object)[outputs.argmax(axis=1)]
        named = {f"probability of {name}": outputs[:, place] for place, name in enumerate(output.class_names)}
        return pd.DataFrame({"prediction": chosen} | named)
    if outputs.shape[1] == 1:
        return pd.DataFrame({"prediction": outputs[:, 0]})
    return pd.DataFrame({f"prediction of {name}": outputs[:, i] for i, name in enumerate(output.target_names)})

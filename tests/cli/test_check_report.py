"""What `lab check` says of gradients that are 0 in the first step."""

from io import StringIO

import pytest
from rich.console import Console

from lab.cli import check_report
from lab.config.experiment import parse
from lab.training.rehearsal.check import check

EXPERIMENT = """
data: {{kind: breast_cancer, batch_size: 32}}
model: {{kind: {kind}, hidden: 8, layers: 1, dropout: 0.0}}
"""


@pytest.mark.parametrize(("kind", "said"), [("wide_deep", True), ("mlp", False)])
def test_layers_below_one_that_starts_at_zero_have_a_gradient_from_the_second_step_on(kind: str, said: bool) -> None:
    console = Console(width=100, record=True, file=StringIO())
    console.print(check_report.findings(check(parse("mine", EXPERIMENT.format(kind=kind)))))
    assert ("0 in the first step" in console.export_text()) is said

"""Recurrent networks under autocast, with and without a bf16 kernel."""

import os
import subprocess
import sys

import pytest
import torch

from lab.architectures import recurrent
from lab.architectures.recurrent import GRU, LSTM

TRAINS_IN_BF16 = """
import torch
from lab.architectures import recurrent
torch.manual_seed(0)
before = torch.get_rng_state()
recurrent._cpu_has_bf16_lstm()
assert torch.equal(torch.get_rng_state(), before)
for network in (recurrent.LSTM(2, 3, hidden=4), recurrent.GRU(2, 3, hidden=4)):
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(torch.randn(5, 2, 12))
    outputs.float().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
"""


@pytest.mark.parametrize("instructions", ["AVX2", "ALL"])
def test_training_under_autocast_works_with_and_without_bf16_instructions(instructions: str) -> None:
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": instructions}
    done = subprocess.run([sys.executable, "-c", TRAINS_IN_BF16], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("network", [LSTM, GRU])
def test_without_a_kernel_the_layers_run_in_single_precision(
    network: type[LSTM] | type[GRU], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "_cpu_has_bf16_lstm", lambda: False)
    layer = network(2, 3, hidden=4, layers=1).layers[0]
    steps = torch.randn(5, 12, 2)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = recurrent._outputs(layer, steps)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, layer(steps)[0], atol=0, rtol=0)

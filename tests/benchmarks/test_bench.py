"""The benchmarks run, at the least size: what they measure then is of no interest."""

import importlib
from pathlib import Path

import pytest
from benchmarks import bench, departures
from benchmarks.measuring import LEAST, Target, exponent, ratio
from benchmarks.processes import printed

OF_PROCESSES = ("startup", "studies", "memory")  # that take many seconds, however little they do


@pytest.mark.parametrize("name", [name for name in bench.TABLES if name not in OF_PROCESSES])
def test_a_table_can_be_measured_and_written_down(name: str) -> None:
    table = importlib.import_module(f"benchmarks.{name}").measure(LEAST)
    assert table.rows
    assert all(len(row) == len(table.header) for row in table.rows)
    page = bench.page([bench.promises(table.targets), table], LEAST, 1.0)
    assert all(f"| {' | '.join(row)} |" in page for row in table.rows)


@pytest.mark.parametrize("name", OF_PROCESSES)
def test_a_table_of_processes_can_be_imported(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").measure)


def test_a_departure_switched_back_trains_to_the_same() -> None:
    other_digits = {"fused optimizer", "seeded for every batch"}
    table = departures.measure(LEAST)
    trained = {row[0]: row[-1] for row in table.rows[:-1]}
    assert {lab for lab, losses in trained.items() if losses != "equal"} == other_digits
    assert all(len(row) == len(table.header) for row in table.rows)


def test_what_people_write_on_the_page_outlives_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    assert bench.by_hand(path) == ""
    path.write_text("# What the lab costs\n\n| old |\n\n## What was tried\n\n* Everything.\n")
    assert bench.by_hand(path) == "## What was tried\n\n* Everything.\n"


def test_the_peak_of_a_process_is_its_own() -> None:
    ballast = bytearray(600 << 20)
    ballast[:: 1 << 12] = b"x" * len(ballast[:: 1 << 12])
    (measured,) = printed("from benchmarks.processes import peak; print(peak())")
    assert 1 < measured < 200


def test_ratios_are_medians_of_pairs() -> None:
    assert ratio([1.0, 4.0, 100.0], [1.0, 2.0, 1.0]) == 2.0


def test_the_exponent_is_that_of_the_two_largest_sizes() -> None:
    assert exponent([1, 10, 100], [5.0, 1.0, 100.0]) == pytest.approx(2.0)


def test_a_promise_holds_at_its_limit() -> None:
    assert Target("", 1.0, 1.0).met
    assert not Target("", 1.01, 1.0).met
    assert Target("", 3.0, 3.0, at_least=True).met

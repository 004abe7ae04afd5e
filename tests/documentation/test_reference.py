"""docs/reference: made from the code, complete, and as the code is now."""

import pytest
import yaml

from lab.config.experiment import parse
from lab.config.types import Fraction, PositiveInt, Threshold
from lab.documentation import reference
from lab.documentation.types import words


def test_the_pages_are_what_the_code_makes() -> None:
    made = reference.pages()
    stored = {path.name: path.read_text(encoding="utf-8") for path in reference.FOLDER.glob("*.md")}
    assert stored == made, "run `make reference`"


def test_every_setting_has_a_sentence_and_every_sentence_a_setting() -> None:
    described = yaml.safe_load((reference.FOLDER / "settings.yaml").read_text(encoding="utf-8"))
    del described["sections"]
    found = reference.settings()
    used = {(each.section, next(key for key in each.keys if key in described[each.section])) for each in found}
    assert used == {(section, key) for section, content in described.items() for key in content}


def test_a_setting_without_a_sentence_is_named() -> None:
    new = reference.Setting("model", "mlp", "depth", "number", "`1`")
    with pytest.raises(KeyError, match=r"no sentence for model: mlp.depth or depth"):
        new.meaning({"model": {}})


def test_the_settings_of_an_experiment_are_all_in_the_reference() -> None:
    experiment = parse("x", "data: {kind: digits}\nmodel: {kind: mlp}\nearly_stopping: {}")
    listed = {f"{each.section}.{each.name}" for each in reference.settings() if each.kind in (None, "digits", "mlp")}
    listed |= {f"{each.section}.{each.name}" for each in reference.settings() if each.kind in ("adamw", "constant")}
    top = {name.partition(".")[2] for name in listed if name.startswith("experiment.")}
    own = {name for name in experiment.settings() if not name.endswith(".kind")}
    assert {name for name in own if name not in listed and name not in top} == set()


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (PositiveInt, "whole number ≥ 1"),
        (PositiveInt | None, "whole number ≥ 1, or null"),
        (Fraction, "number > 0 and < 1"),
        (Threshold, "number > 0 and < 1, or `f1`, `balanced_accuracy`, `accuracy`"),
        (list[str] | None, "list of text, or null"),
        (dict[str, int], "mapping"),
        (list[dict[str, int]], "list"),
    ],
)
def test_a_type_in_words(annotation: object, text: str) -> None:
    assert words(annotation) == text


def test_no_setting_has_a_type_that_nobody_checks() -> None:
    unchecked = [each for each in reference.settings() if each.type == "any value"]
    assert not unchecked

"""Which samples are for training, validation and testing."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from lab.config.types import Fold
from lab.data.samples import Samples
from lab.data.splitting.splits import hold_out, split
from lab.errors import LabError

RANDOM = np.random.default_rng(0)


class TestHoldOut:
    def test_both_parts_are_sorted_and_together_all_indices(self) -> None:
        kept, held = hold_out(np.arange(10, 30), 0.25, seed=0)
        assert (len(kept), len(held)) == (15, 5)
        assert kept.tolist() == sorted(kept)
        assert held.tolist() == sorted(held)
        assert sorted([*kept, *held]) == list(range(10, 30))

    def test_it_is_a_function_of_the_seed(self) -> None:
        held = [hold_out(np.arange(50), 0.2, seed)[1].tolist() for seed in (0, 0, 1)]
        assert held[0] == held[1] != held[2]

    def test_it_is_stratified_by_the_labels_of_the_given_indices(self) -> None:
        labels = np.array([0] * 50 + [1] * 10 + [2] * 2)
        _, held = hold_out(np.arange(62), 0.2, 0, labels)
        assert np.bincount(labels[held]).tolist() == [10, 2, 1]
        _, held = hold_out(np.arange(50, 62), 0.2, 0, labels)
        assert np.bincount(labels[held]).tolist() == [0, 2, 1]

    @pytest.mark.parametrize(
        ("size", "fraction", "held"),
        [(1, 0.5, 0), (2, 0.01, 1), (2, 0.99, 1), (10, 0.01, 1), (10, 0.99, 9), (10, 0.26, 3)],
    )
    def test_at_least_one_sample_is_held_out_but_never_all(self, size: int, fraction: float, held: int) -> None:
        kept, out = hold_out(np.arange(size), fraction, seed=0)
        assert (len(kept), len(out)) == (size - held, held)


def samples(count: int, **given: object) -> Samples:
    return Samples(np.zeros((count, 1)), np.zeros((count, 1)), **given)  # type: ignore[arg-type]


def parts(of: Samples, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Train, val and test, each sample in one of them."""
    found = split(of, 0.25, 0.2, seed)
    assert sorted(np.concatenate(list(found.values()))) == list(range(len(of.x)))
    assert all((np.diff(part) > 0).all() for part in found.values())
    return found["train"], found["val"], found["test"]


class TestSplit:
    def test_the_test_split_does_not_depend_on_the_seed(self) -> None:
        (_, val, test), (_, other_val, other_test) = parts(samples(50)), parts(samples(50), seed=1)
        assert (len(test), len(val)) == (10, 10)
        assert test.tolist() == other_test.tolist()
        assert val.tolist() != other_val.tolist()

    def test_the_sets_of_the_source_are_its_last_samples(self) -> None:
        train, val, test = parts(samples(30, test_size=5, val_size=3))
        assert (train.tolist(), val.tolist(), test.tolist()) == ([*range(22)], [22, 23, 24], [*range(25, 30)])

    def test_a_test_set_alone_leaves_the_validation_set_to_chance(self) -> None:
        _, val, test = parts(samples(30, test_size=5))
        assert (test.tolist(), len(val)) == ([*range(25, 30)], 6)

    def test_what_is_named_is_kept_and_the_rest_is_training(self) -> None:
        given = np.array(["train", "val", "test", ""] * 5)
        train, val, test = parts(samples(20, given=given))
        assert val.tolist() == [*range(1, 20, 4)]
        assert test.tolist() == [*range(2, 20, 4)]
        assert len(train) == 10


class TestOrder:
    def test_the_last_samples_are_the_test_and_those_before_them_the_validation(self) -> None:
        order = RANDOM.permutation(40)
        train, val, test = (np.sort(order[part]) for part in parts(samples(40, order=order)))
        assert (train.tolist(), val.tolist(), test.tolist()) == ([*range(24)], [*range(24, 32)], [*range(32, 40)])

    def test_samples_of_the_same_time_stay_together(self) -> None:
        order = np.repeat(np.arange(5), 7)
        train, val, test = parts(samples(35, order=order))
        assert not {*order[train]} & {*order[val]}
        assert not {*order[val]} & {*order[test]}

    def test_where_all_have_the_same_time_there_are_still_three_splits(self) -> None:
        assert all(len(part) for part in parts(samples(20, order=np.zeros(20))))

    def test_dates_are_ordered_as_dates(self) -> None:
        order = np.array(["2024-01-10", "2023-12-31", "2024-02-01", "2023-05-05", "2024-01-02"], "datetime64[D]")
        _, val, test = parts(samples(5, order=order))
        assert (val.tolist(), test.tolist()) == ([0], [2])


class TestGroups:
    @pytest.mark.parametrize("classes", [0, 3])
    def test_no_group_is_on_two_sides(self, classes: int) -> None:
        groups = RANDOM.integers(0, 30, 400)
        y = RANDOM.integers(0, classes, 400) if classes else np.zeros((400, 1))
        of = Samples(np.zeros((400, 1)), y, class_names=[str(name) for name in range(classes)], groups=groups)
        split_groups = [set(groups[part]) for part in parts(of)]
        assert sum(map(len, split_groups)) == len(set.union(*split_groups)) == 30
        assert 0.1 < len(parts(of)[2]) / 400 < 0.3

    def test_classes_are_held_out_in_proportion_as_far_as_groups_allow(self) -> None:
        groups = np.repeat(np.arange(100), 4)
        y = np.repeat([0, 1], [300, 100])
        _, _, test = parts(Samples(np.zeros((400, 1)), y, class_names=["a", "b"], groups=groups))
        assert np.bincount(y[test]).tolist() == [60, 20]

    def test_two_groups_are_too_few(self) -> None:
        with pytest.raises(LabError, match="too few groups"):
            split(samples(20, groups=np.repeat([0, 1], 10)), 0.25, 0.2, 0)


def classified(y: NDArray[np.int64], **given: object) -> Samples:
    names = [str(name) for name in range(int(y.max()) + 1)]
    return Samples(np.zeros((len(y), 1)), y, class_names=names, **given)  # type: ignore[arg-type]


def folds_of(of: Samples, count: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """The test split of each fold; each is a whole, disjoint split of what is not in a test set of the source."""
    every = [split(of, 0.25, 0.2, seed, Fold(number, count)) for number in range(1, count + 1)]
    pool = sorted(np.concatenate([*every[0].values()]))
    for found in every:
        assert sorted(np.concatenate([*found.values()])) == pool
        assert all(len(part) and (np.diff(part) > 0).all() for part in found.values())
    return [found["test"] for found in every]


class TestFolds:
    @pytest.mark.parametrize(("size", "count"), [(20, 5), (23, 5), (50, 2), (7, 7), (4, 2)])
    def test_every_sample_is_tested_once_and_sizes_are_those_of_scikit_learn(self, size: int, count: int) -> None:
        tested = folds_of(samples(size), count)
        assert sorted(np.concatenate(tested)) == list(range(size))
        theirs = [len(held) for _, held in KFold(count).split(np.zeros(size))]
        assert sorted(map(len, tested)) == sorted(theirs)

    def test_they_are_drawn_at_random_and_the_same_for_every_seed(self) -> None:
        one, other = folds_of(samples(30), 3, seed=0), folds_of(samples(30), 3, seed=1)
        assert [part.tolist() for part in one] == [part.tolist() for part in other]
        assert (np.diff(one[0]) > 1).any()
        val = [split(samples(30), 0.25, 0.2, seed, Fold(1, 3))["val"].tolist() for seed in (0, 1)]
        assert val[0] != val[1]

    @pytest.mark.parametrize("counts", [(60, 30, 10), (41, 23, 7), (13, 5, 5)])
    def test_classes_are_dealt_as_scikit_learn_deals_them(self, counts: tuple[int, ...]) -> None:
        y = np.repeat(np.arange(len(counts)), counts)
        tested = folds_of(classified(y), 5)
        theirs = [held for _, held in StratifiedKFold(5).split(y, y)]
        ours, expected = ([np.bincount(y[part], minlength=3).tolist() for part in parts] for parts in (tested, theirs))
        assert ours == expected

    def test_a_class_with_fewer_samples_than_folds_is_in_as_many_folds_as_it_has_samples(self) -> None:
        y = np.repeat([0, 1], [20, 2])
        assert sorted(int(y[part].sum()) for part in folds_of(classified(y), 5)) == [0, 0, 0, 1, 1]

    @pytest.mark.parametrize("classes", [0, 3])
    def test_no_group_is_in_two_folds_nor_on_two_sides(self, classes: int) -> None:
        groups = RANDOM.integers(0, 30, 400)
        of = samples(400, groups=groups) if not classes else classified(RANDOM.integers(0, 3, 400), groups=groups)
        of_fold = [set(groups[part]) for part in folds_of(of, 5)]
        assert sum(map(len, of_fold)) == len(set.union(*of_fold)) == 30
        found = split(of, 0.25, 0.2, 0, Fold(2, 5))
        assert not set(groups[found["train"]]) & set(groups[found["val"]])

    def test_groups_keep_classes_in_proportion_and_a_rare_class_gives_no_warning(self) -> None:
        groups = np.repeat(np.arange(100), 4)
        y = np.repeat([0, 1, 2], [296, 100, 4])
        tested = folds_of(classified(y, groups=groups), 5)
        assert [np.bincount(y[part], minlength=3)[1] for part in tested] == [20] * 5

    def test_the_test_set_of_the_source_is_in_no_fold_and_its_validation_set_stays(self) -> None:
        of = samples(40, test_size=8, val_size=4)
        assert sorted(np.concatenate(folds_of(of, 4))) == list(range(28))
        assert split(of, 0.25, 0.2, 0, Fold(3, 4))["val"].tolist() == [28, 29, 30, 31]

    @pytest.mark.parametrize(
        ("given", "count", "message"),
        [
            ({"order": np.arange(20)}, 5, r"^fold: these samples are in order \(data.order_by\).*leave out one"),
            ({"groups": np.repeat([0, 1, 2, 3], 5)}, 5, r"^fold: 4 groups \(data.group\) are too few for 5 folds$"),
            ({}, 21, "^fold: 20 samples are too few for 21 folds$"),
        ],
    )
    def test_what_cannot_be_dealt_is_refused(self, given: dict[str, object], count: int, message: str) -> None:
        with pytest.raises(LabError, match=message):
            split(samples(20, **given), 0.25, 0.2, 0, Fold(1, count))

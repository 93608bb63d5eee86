"""SARCOS from files in its formats, made here."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import torch

from gradnorm.datasets.by_path.sarcos import Sarcos
from gradnorm.datasets.readers.folders import DataError

ROWS = np.random.default_rng(0).normal(0, 3, (200, 28))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write(file, rows=ROWS, name=None):
    if file.suffix == ".mat":
        scipy.io.savemat(file, {name or file.stem: rows}, do_compression=True)
    elif file.suffix == ".npy":
        np.save(file, rows)
    else:
        np.savetxt(file, rows, delimiter=",", fmt="%.17g")


def all_rows(source):
    """Every row of a source as it is told apart by its torques, test rows first."""
    train = torch.cat([torch.stack(source.batch(step, 500).targets) for step in range(1, 9)], 1)
    return torch.stack(source.test.targets)[..., 0].T, train[..., 0].T.unique(dim=0)


@pytest.mark.parametrize("name", ["sarcos_inv.mat", "sarcos_inv_test.mat", "mine.csv", "mine.npy"])
def test_rows_are_split_into_21_inputs_and_7_torques(root, name):
    write(root / name)
    dataset = Sarcos(path=name)
    source = dataset.load(0)
    assert source.shape == (21,)
    assert tuple(task.name for task in source.tasks) == dataset.task_names
    assert [task.outputs for task in source.tasks] == [1] * 7
    test, train = all_rows(source)
    assert (len(test), len(train)) == (20, 180)
    # Each row once, and its inputs, standardised by the training rows, beside its torques.
    found = torch.cat([test, train])
    expected = torch.from_numpy(ROWS[:, 21:].astype(np.float32))
    assert torch.equal(found.unique(dim=0), expected.unique(dim=0))
    place = [int((expected == row).all(1).nonzero()) for row in test]
    kept = np.delete(ROWS, place, axis=0)[:, :21]
    inputs = (ROWS[place, :21] - kept.mean(0)) / kept.std(0)
    torch.testing.assert_close(source.test.inputs, torch.from_numpy(inputs.astype(np.float32)))


def test_no_test_row_is_trained_on_though_the_public_files_have_most_of_them_twice(root):
    write(root / "sarcos_inv.mat", ROWS)
    write(root / "sarcos_inv_test.mat", np.concatenate([ROWS[::10], ROWS[:2] + 100]))
    test, train = all_rows(Sarcos(path="").model_copy(update={"path": str(root)}).load(0))
    assert len(test) + len(train) == 202
    assert not {tuple(row) for row in test.tolist()} & {tuple(row) for row in train.tolist()}


def test_the_split_depends_on_neither_the_seed_nor_the_order_of_the_rows(root):
    write(root / "a.npy", ROWS)
    write(root / "b.npy", ROWS[::-1])
    one, two = Sarcos(path="a.npy").load(0), Sarcos(path="b.npy").load(5)
    for first, second in zip(one.test.targets, two.test.targets, strict=True):
        assert torch.equal(first, second)


def test_no_more_rows_are_held_out_than_in_the_public_test_set(root):
    write(root / "many.npy", np.random.default_rng(1).normal(size=(50_000, 28)).astype(np.float32))
    assert len(Sarcos(path="many.npy").load(0).test.inputs) == 4_449


def test_a_csv_may_have_names_above_its_columns(root):
    write(root / "plain.csv")
    text = (root / "plain.csv").read_text()
    (root / "named.csv").write_text("\ufeff" + ",".join(f"V{i}" for i in range(28)) + "\n" + text)
    one, two = (Sarcos(path=name).load(0) for name in ("plain.csv", "named.csv"))
    assert torch.equal(one.test.inputs, two.test.inputs)


def refusal(path):
    with pytest.raises(DataError) as caught:
        Sarcos(path=path).load(0)
    return str(caught.value)


def test_a_path_has_to_be_given():
    assert "sarcos_inv.mat" in refusal("")
    assert "--path" in refusal("")


@pytest.mark.parametrize("name", ["a.csv", "a.npy", "sarcos_inv.mat"])
def test_other_numbers_of_columns_are_refused(root, name):
    write(root / name, ROWS[:, :27])
    assert f"{name} should have rows of 28 numbers" in refusal(name)
    assert "(200, 27)" in refusal(name)


def test_a_mat_file_with_another_variable_is_not_loaded(root):
    write(root / "sarcos_inv.mat", name="something")
    assert "should hold sarcos_inv or sarcos_inv_test" in refusal("sarcos_inv.mat")
    assert "Found something" in refusal("sarcos_inv.mat")


def test_a_mat_file_with_words_is_refused(root):
    scipy.io.savemat(root / "sarcos_inv.mat", {"sarcos_inv": np.array([["a"] * 28] * 30, dtype=object)})
    assert "of numbers" in refusal("sarcos_inv.mat")


def test_objects_are_not_unpickled(root):
    np.save(root / "a.npy", np.array([[{}] * 28] * 30, dtype=object), allow_pickle=True)
    assert "cannot be read" in refusal("a.npy")


@pytest.mark.parametrize("name", ["sarcos_inv.mat", "a.npy", "a.csv"])
@pytest.mark.parametrize("length", [0, 3, 200, 3000])
def test_files_that_are_cut_off_or_empty_are_refused(root, name, length):
    write(root / name)
    text = (root / name).read_bytes()[:length]
    (root / name).write_bytes(text)
    assert name in refusal(name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300])
def test_what_is_no_number_is_told_with_its_row(root, value):
    rows = ROWS.copy()
    rows[6, 3] = value
    write(root / "a.npy", rows)
    assert "Found none in row 7" in refusal("a.npy")


def test_a_line_that_is_no_row_is_told(root):
    (root / "a.csv").write_text(",".join(["1"] * 28) + "\nx" + ",1" * 27 + "\n")
    assert "'x'" in refusal("a.csv")


@pytest.mark.parametrize("line", [0, 1])
def test_a_line_without_an_end_is_refused_before_it_is_read(root, line):
    rows = [",".join(["1"] * 28)] * 2
    rows[line] = ",".join(["1"] * 2_000_000)
    (root / "a.csv").write_text("\n".join(rows))
    assert f"at most 4,096 characters. Found more in line {line + 1}." in refusal("a.csv")


def test_too_few_rows_other_endings_and_empty_folders_are_refused(root):
    write(root / "few.npy", np.repeat(ROWS[:1], 50, 0))
    (root / "a.txt").write_text("1")
    (root / "empty").mkdir()
    assert "at least 10 different rows. Found 1" in refusal("few.npy")
    assert "should end in .mat, .csv, .npy" in refusal("a.txt")
    assert "The folder should hold" in refusal("empty")
    assert "none.csv" in refusal("none.csv")


def test_links_out_of_the_root_are_refused(root):
    write(root.parent / "sarcos_inv.mat")
    (root / "sarcos_inv.mat").symlink_to(root.parent / "sarcos_inv.mat")
    for path in ("sarcos_inv.mat", ".", "../sarcos_inv.mat", str(root.parent / "sarcos_inv.mat")):
        assert "below" in refusal(path)

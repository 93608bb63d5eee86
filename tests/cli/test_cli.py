"""The command line: what it prints, what it returns, and what it says when it is used wrongly."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from gradnorm.cli import main
from gradnorm.cli.making import Progress
from gradnorm.config.spec import RunSpec
from gradnorm.runs.records import Evaluation, Outcome
from gradnorm.runs.records import columns as column_names
from gradnorm.runs.store import RunStore
from gradnorm.runs.troubles import Trouble
from gradnorm.training.control import Control
from tests.factories import ROOT, SPEC, evaluation, finished, rows_of, step_records

FAST = ["--width", "8", "--depth", "1", "--batch-size", "4", "--device", "cpu"]
KEYS = {
    "run",
    "outcome",
    "message",
    "spec",
    "tasks",
    "steps",
    "seconds",
    "steps_per_second",
    "weights",
    "mean_weights",
    "gradient_norms",
    "targets",
    "test",
    "troubles",
}


@pytest.fixture
def run_cli(capsysbinary):
    """Runs a command in this process; gives exit code, standard output and standard error."""

    def call(*arguments):
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as end:
            code = end.code
        out, err = capsysbinary.readouterr()
        return code, out, err.decode()

    return call


@pytest.fixture
def train(run_cli):
    """Trains a tiny run; gives what `--json -` says."""

    def call(*arguments):
        code, out, err = run_cli("train", *FAST, "--json", "-", *arguments)
        assert (code, err) == (0, "")
        return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    return call


@pytest.fixture
def kept(store):
    """An ended run of 5 steps with evaluations at 0 and 5 and one number missing."""
    run = store.create("kept", SPEC, ("a", "b"), queued=False)
    first, *rest = step_records(1, 5)
    first = type(first)(**{**vars(first), "imbalance": None, "gradient_norms": None})
    store.append(run, [first, *rest], [evaluation(0), evaluation(5)], 1.0)
    store.end(run, finished(5))
    return run, rows_of([first, *rest])


def test_train_says_all_about_the_run(train, home):
    result = train("--sigmas", "1,2", "--alpha", "0.12", "--steps", "60", "--eval-every", "20")
    assert set(result) == KEYS
    assert (result["outcome"], result["message"], result["steps"]) == ("finished", "Finished all 60 steps.", 60)
    assert result["tasks"] == ["task 1", "task 2"]
    spec = RunSpec.parse(result["spec"])
    assert (spec.method.alpha, spec.dataset.sigmas, spec.steps, spec.width) == (0.12, (1.0, 2.0), 60, 8)
    assert result["seconds"] > 0
    assert result["steps_per_second"] == pytest.approx(60 / result["seconds"])

    snapshot = RunStore(home).read(result["run"])
    for name in ("weights", "gradient_norms", "targets"):
        np.testing.assert_allclose(result[name], snapshot.vector(name)[-1], rtol=1e-6)
    np.testing.assert_allclose(result["mean_weights"], snapshot.vector("weights").mean(0), rtol=1e-5)
    last = snapshot.evaluations[-1]
    assert result["test"] == {
        "step": 60,
        "losses": list(last.losses),
        "loss_ratios": list(last.loss_ratios),
        "task_normalized_loss": last.task_normalized_loss,
        "metrics": [dict(m) for m in last.metrics],
        "constant_losses": list(last.constant_losses),
        "constant_metrics": [dict(m) for m in last.constant_metrics],
    }
    assert sum(result["weights"]) == pytest.approx(2, rel=1e-4)
    assert result["test"]["task_normalized_loss"] == pytest.approx(sum(result["test"]["loss_ratios"]))
    assert [e.step for e in snapshot.evaluations] == [0, 20, 40, 60]


def test_a_method_without_targets_says_none(train):
    result = train("--method", "equal", "--steps", "5", "--no-watch-norms")
    assert (result["weights"], result["targets"], result["gradient_norms"]) == ([1, 1], None, None)


def test_without_json_train_prints_the_ending(run_cli):
    code, out, _ = run_cli("train", *FAST, "--steps", "5")
    lines = out.decode().splitlines()
    assert code == 0
    assert "finished: Finished all 5 steps." in lines[0]
    assert lines[1].startswith("task-normalised test loss ")
    assert lines[-2].startswith("verdict: GradNorm α 0.12 ends at Σ ")
    assert lines[-1].endswith("train it with --method equal, too.")


def test_train_measures_a_run_against_equal_weights_of_the_same_home(run_cli):
    run_cli("train", *FAST, "--method", "equal", "--steps", "5")
    _, out, _ = run_cli("train", *FAST, "--steps", "5")
    verdict = out.decode().splitlines()[-1]
    assert verdict.startswith(("verdict: GradNorm α 0.12 won: ", "verdict: Equal weights won: ", "verdict: A draw: "))
    assert ", from the same start. " in verdict


def test_an_option_without_effect_is_told(run_cli):
    given = ("train", *FAST, "--steps", "5", "--weight-learning-rate", "0.1")
    assert "--weight-learning-rate has an effect only with --update log" in run_cli(*given)[2]
    assert "effect" not in run_cli(*given, "--update", "log")[2]


def test_train_names_the_tasks_in_trouble_and_what_to_do(run_cli, train, monkeypatch):
    monkeypatch.setattr("gradnorm.cli.training.troubles", lambda *_: [Trouble(1, "task 2 cannot improve, it seems.")])
    _, out, _ = run_cli("train", *FAST, "--steps", "5")
    last = "task 2 cannot improve, it seems. To keep its weight fixed in the next run, pass --hold 2."
    assert last in out.decode().splitlines()
    assert train("--steps", "5")["troubles"] == ["task 2 cannot improve, it seems."]


def test_json_goes_to_a_file(run_cli, tmp_path):
    code, out, _ = run_cli("train", *FAST, "--steps", "5", "--json", tmp_path / "result.json")
    assert (code, out) == (0, b"")
    assert set(json.loads((tmp_path / "result.json").read_text())) == KEYS


def test_a_run_that_diverges_returns_3(run_cli):
    code, out, err = run_cli("train", *FAST, "--sigmas", "1,1000", "--learning-rate", "10", "--json", "-")
    result = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (code, err, result["outcome"]) == (3, "", "diverged")
    assert "task" in result["message"]
    assert set(result) == KEYS
    # The untrained network's test is no result.
    assert result["test"] is None


def test_a_run_that_diverges_prints_no_test_loss(run_cli):
    code, out, _ = run_cli("train", *FAST, "--sigmas", "1,1000", "--learning-rate", "10")
    line, verdict = out.decode().splitlines()
    assert code == 3
    assert "diverged: The loss of " in line
    assert verdict.startswith("verdict: This run diverged at step ")


def test_the_test_loss_of_a_stopped_run_comes_with_its_step(run_cli, monkeypatch):
    looks = itertools.count()
    monkeypatch.setattr(Control, "stopping", property(lambda self: next(looks) == 3))
    code, out, _ = run_cli("train", *FAST, "--steps", "5", "--eval-every", "2")
    ending, loss, *_ = out.decode().splitlines()
    assert code == 130
    assert ending.endswith("Stopped by hand after 3 steps.")
    assert loss.startswith("task-normalised test loss at step 2 ")


def test_an_exported_spec_repeats_the_run(train, run_cli, tmp_path, home):
    first = train("--preset", "toy-2", "--steps", "30", "--seed", "5", "--alpha", "0.7")
    path = tmp_path / "run.spec.json"
    path.write_text(json.dumps(first["spec"]))
    second = train("--spec", path)
    assert second["run"] != first["run"]
    for key in KEYS - {"run", "seconds", "steps_per_second"}:
        assert second[key] == first[key], key
    store = RunStore(home)
    np.testing.assert_array_equal(store.read(first["run"]).rows, store.read(second["run"]).rows)
    assert store.read(first["run"]).evaluations == store.read(second["run"]).evaluations


def test_another_seed_gives_another_run(train):
    assert train("--steps", "5", "--seed", "1")["test"] != train("--steps", "5", "--seed", "2")["test"]


def test_options_change_a_spec_file(train, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text('{"dataset": "toy", "sigmas": [1, 2, 3], "steps": 900}')
    result = train("--spec", path, "--steps", "5")
    assert (result["spec"]["sigmas"], result["steps"]) == ([1, 2, 3], 5)


def test_options_change_a_preset(train):
    result = train("--preset", "toy-10", "--tasks", "3", "--steps", "5")
    assert (len(result["tasks"]), result["spec"]["alpha"]) == (3, 0.12)


def test_a_home_may_be_given(run_cli, tmp_path, home):
    code, _, _ = run_cli("train", *FAST, "--steps", "5", "--json", "-", "--home", tmp_path / "other")
    assert code == 0
    assert len(RunStore(tmp_path / "other").runs()) == 1
    assert not home.exists()
    code, out, _ = run_cli("runs", "--json", "-", "--home", tmp_path / "other")
    assert (code, len(json.loads(out))) == (0, 1)


def bad_spec_file(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    return path


WRONG = [
    (["train", "--gamma", "1"], "--gamma"),
    (["train", "--alpha", "9"], "alpha should be in [0, 5]. Found '9'. Set it with --alpha."),
    (["train", "--alpha", "-1"], "alpha should be in [0, 5]. Found '-1'"),
    (["train", "--alpha", "nan"], "alpha should be in [0, 5]"),
    (["train", "--alpha", "much"], "alpha should be"),
    (["train", "--alpha"], "expected one argument"),
    (["train", "--steps", "0"], "steps should be a whole number in [1, "),
    (["train", "--steps", "1.5"], "steps should be a whole number"),
    (["train", "--tasks", "2", "--sigmas", "1,2,3"], "sigmas should have one value for each of the 2 tasks. Found 3."),
    (["train", "--sigmas", "1,x"], "sigmas should be numbers with commas between"),
    (["train", "--sigmas", "0,1"], "sigmas should be in"),
    (["train", "--preset", "toy-3"], "toy-3"),
    (["train", "--dataset", "imagenet"], "imagenet"),
    (["train", "--method", "magic"], "magic"),
    (["train", "--method", "equal", "--alpha", "1"], "alpha should be an option of"),
    (["train", "--optimizer", "lion"], "lion"),
    (["train", "--spec", "/nonexistent/spec.json"], "/nonexistent/spec.json"),
    (["train", "--spec", "/"], "/"),
    (["train", "--home", "/proc/gradnorm", "--steps", "1"], "Found /proc/gradnorm"),
    (["train", "--home", "/dev/null", "--steps", "1"], "Found /dev/null"),
    (["runs", "--home", "/proc/gradnorm"], "Found /proc/gradnorm"),
    (["export", "nope"], "Found no run 'nope'"),
    (["export", "nope", "--format", "xls"], "xls"),
    (["export"], "run"),
    (["dashboard", "--port", "high"], "high"),
    (["fly"], "fly"),
    ([], "command"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_use_is_one_clear_line(run_cli, arguments, message, home):
    code, out, err = run_cli(*arguments)
    assert (code, out) == (2, b"")
    assert message in err
    assert err.startswith("gradnorm")
    assert err.count("\n") == 1, err
    if home.exists():
        assert RunStore(home).runs() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "A spec should be a JSON object"),
        (b"", "A spec should be a JSON object"),
        (b"[1]", "A spec should be a JSON object"),
        (b'"toy"', "A spec should be a JSON object"),
        (b'{"alpha": 9}', "alpha should be in [0, 5]"),
        (b'{"alpha": NaN}', "alpha should be"),
        (b'{"gone": 9}', "gone should be an option"),
        (b'{"dataset": "gone"}', "dataset should be one of"),
        (b'{"dataset": null}', "dataset should be one of"),
        (b'{"tasks": {}}', "tasks should be"),
    ],
)
def test_a_spec_file_that_is_wrong_is_one_clear_line(run_cli, tmp_path, content, message):
    code, out, err = run_cli("train", "--spec", bad_spec_file(tmp_path, content))
    assert (code, out) == (2, b"")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00 not text", b'{"dataset": ["toy"]}', b'{"method": {}}', b"[" * 100_000],
    ids=["not UTF-8", "a list as name", "an object as name", "too deep"],
)
def test_a_spec_file_of_nonsense_is_one_clear_line(run_cli, tmp_path, content):
    code, out, err = run_cli("train", "--spec", bad_spec_file(tmp_path, content))
    assert (code, out) == (2, b"")
    assert err.count("\n") == 1


def test_a_gpu_that_is_not_there_is_one_clear_line(run_cli, home):
    from gradnorm.training.run import count_gpus

    if count_gpus():
        pytest.skip("this machine has a GPU")
    code, out, err = run_cli("train", "--device", "cuda", "--steps", "5")
    assert (code, out) == (2, b"")
    assert "Found 'cuda', but no GPU" in err
    assert err.count("\n") == 1
    assert RunStore(home).runs() == []


def test_help_names_every_option(run_cli):
    from gradnorm.config.options import options

    code, out, _ = run_cli("train", "--help")
    assert code == 0
    for option in options():
        assert f"--{option.key.replace('_', '-')}" in out.decode()


def test_runs_lists_them_newest_first(run_cli, store, kept):
    second = store.create("waiting", SPEC, ("a", "b"), queued=True)
    code, out, err = run_cli("runs", "--json", "-")
    assert (code, err) == (0, "")
    first, last = json.loads(out)
    assert (first["run"], first["outcome"], first["steps"]) == (second, "queued", 0)
    assert last == {
        "run": kept[0],
        "outcome": "finished",
        "message": "Done.",
        "steps": 5,
        "spec": SPEC,
        "title": "kept",
        "created": last["created"],
        "seconds": 1.0,
        "device": None,
        "race": None,
        "parent": None,
        "forked_at": 0,
        "task_normalized_loss": last["task_normalized_loss"],
        "group": None,
        "name": "",
        "notes": "",
        "tags": [],
        "pinned": False,
        "trashed": None,
    }
    code, out, _ = run_cli("runs")
    lines = out.decode().splitlines()
    assert [second in lines[0], kept[0] in lines[1], len(lines)] == [True, True, 2]


def test_an_empty_home_lists_nothing(run_cli):
    assert run_cli("runs", "--json", "-")[:2] == (0, b"[]\n")
    assert run_cli("runs")[:2] == (0, b"")


def read_csv(data):
    header, *rows = csv.reader(io.StringIO(data.decode()))
    return header, [[float(cell) if cell else math.nan for cell in row] for row in rows]


def read_parquet(data):
    table = pq.read_table(io.BytesIO(data))
    columns = [[math.nan if v is None else v for v in table[name].to_pylist()] for name in table.column_names]
    return table.column_names, [list(row) for row in zip(*columns, strict=True)]


def read_json(data):
    steps = json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["steps"]
    names = list(steps[0]) if steps else []
    return names, [[math.nan if step[name] is None else step[name] for name in names] for step in steps]


READERS = {"csv": read_csv, "parquet": read_parquet, "json": read_json}


@pytest.mark.parametrize("file_format", READERS)
@pytest.mark.parametrize("to_file", [False, True])
def test_an_export_has_a_row_a_step(run_cli, kept, tmp_path, file_format, to_file):
    run, rows = kept
    out = ["--out", tmp_path / "file"] if to_file else []
    code, data, err = run_cli("export", run, "--format", file_format, *out)
    assert (code, err) == (0, "")
    if to_file:
        assert data == b""
        assert [p.name for p in tmp_path.iterdir() if p.name != "home"] == ["file"]
        data = (tmp_path / "file").read_bytes()
    names, values = READERS[file_format](data)
    expected = column_names(("a", "b"))
    assert names[: len(expected)] == expected
    # A table also has a row for the evaluation before the first step.
    trained = values if file_format == "json" else values[1:]
    assert [row[0] for row in trained] == [1, 2, 3, 4, 5]
    exported = np.array(trained)[:, : len(expected)].astype(np.float32)
    np.testing.assert_array_equal(exported, rows)


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_table_holds_the_evaluations_in_their_rows(run_cli, kept, file_format):
    names, rows = READERS[file_format](run_cli("export", kept[0], "--format", file_format)[1])
    table = dict(zip(names, zip(*rows, strict=True), strict=True))
    assert table["step"] == (0, 1, 2, 3, 4, 5)
    assert [math.isnan(v) for v in table["test_task_normalized_loss"]] == [False, *[True] * 4, False]
    for row, wanted in ((0, evaluation(0)), (5, evaluation(5))):
        assert table["test_task_normalized_loss"][row] == wanted.task_normalized_loss
        assert (table["test_losses.a"][row], table["test_losses.b"][row]) == wanted.losses
        assert (table["test_loss_ratios.a"][row], table["test_loss_ratios.b"][row]) == wanted.loss_ratios


def test_a_json_export_holds_the_whole_run(run_cli, kept):
    whole = json.loads(run_cli("export", kept[0], "--format", "json")[1])
    assert [Evaluation.from_dict(e) for e in whole["evaluations"]] == [evaluation(0), evaluation(5)]
    assert (whole["run"], whole["spec"], whole["tasks"]) == (kept[0], SPEC, ["a", "b"])
    assert Outcome.from_dict(whole["outcome"]) == finished(5)


def test_a_run_without_steps_is_exported_as_an_empty_table(run_cli, store):
    run = store.create("empty", SPEC, ("a", "b"), queued=True)
    header, rows = read_csv(run_cli("export", run)[1])
    assert (header[0], rows) == ("step", [])
    assert read_parquet(run_cli("export", run, "--format", "parquet")[1])[1] == []
    assert read_json(run_cli("export", run, "--format", "json")[1])[1] == []


def test_an_export_replaces_no_device_or_pipe(run_cli, kept, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code, out, err = run_cli("export", kept[0], "--out", pipe)
    assert (code, out) == (2, b"")
    assert "should be a file, or not be there yet. Found a device or pipe." in err
    assert pipe.is_fifo()


def test_an_export_to_nowhere_leaves_one_clear_line(run_cli, kept):
    code, out, err = run_cli("export", kept[0], "--out", "/nonexistent/file.csv")
    assert (code, out) == (2, b"")
    assert "/nonexistent/file.csv" in err
    assert err.count("\n") == 1


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **options
    )


@pytest.mark.slow
def test_the_module_is_the_command(home):
    done = python("-m", "gradnorm", "train", *FAST, "--steps", "20", "--json", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert set(json.loads(done.stdout)) == KEYS
    assert [info.state for info in RunStore(home).runs()] == ["finished"]


def test_bad_usage_of_the_module_is_one_line():
    done = python("-m", "gradnorm", "train", "--alpha", "9")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gradnorm: alpha should be in [0, 5]. Found '9'. Set it with --alpha.\n"


def test_listing_runs_does_not_load_torch(home):
    code = "import sys; from gradnorm.cli import main; main(['runs']); sys.exit('torch' in sys.modules)"
    assert python("-c", code).returncode == 0


def test_a_race_trains_all_and_says_who_leads(run_cli, store):
    arguments = ["train", "--race", "equal,gradnorm:alpha=0.5,uncertainty", "--steps", "20", "--sigmas", "1,2", *FAST]
    code, out, err = run_cli(*arguments, "--json", "-")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert [r["spec"]["method"] for r in result["race"]] == ["equal", "gradnorm", "uncertainty"]
    # The same network on the same test set: the same start.
    starts = [store.read(r["run"]).evaluations[0] for r in result["race"]]
    assert starts[0] == starts[1] == starts[2]
    sums = {r["spec"]["method"]: r["test"]["task_normalized_loss"] for r in result["race"]}
    names = {"equal": "Equal weights", "gradnorm": "GradNorm α 0.5", "uncertainty": "Uncertainty weighting"}
    assert result["leaders"]["task_normalized_loss"] == names[min(sums, key=sums.get)]
    assert set(result["leaders"]) == {
        "task_normalized_loss",
        *(f"{k}.task {i}" for k in ("loss_ratio", "r2") for i in (1, 2)),
    }
    assert len({info.race for info in store.runs()}) == 1
    code, out, _ = run_cli(*arguments)
    assert code == 0
    assert out.decode().count("finished") == 3
    assert "leads" in out.decode()
    assert "verdict: " in out.decode()


def test_a_contender_sees_the_batches_that_it_would_see_alone(train, run_cli, store):
    alone = train("--method", "uncertainty", "--steps", "20", "--sigmas", "1,2")
    _, out, _ = run_cli(
        "train", "--race", "equal,uncertainty", "--steps", "20", "--sigmas", "1,2", *FAST, "--json", "-"
    )
    raced = json.loads(out)["race"][1]
    np.testing.assert_array_equal(store.read(alone["run"]).rows, store.read(raced["run"]).rows)


def test_a_fork_goes_on_from_a_checkpoint(train, run_cli, store):
    parent = train("--steps", "40", "--checkpoint-every", "10", "--sigmas", "1,2")["run"]
    code, out, _ = run_cli("fork", parent, "--at", "20", "--alpha", "3", "--json", "-")
    child = json.loads(out)
    info = store.info(child["run"])
    assert (code, info.parent, info.forked_at, info.steps) == (0, parent, 20, 40)
    snapshot = store.read(child["run"])
    assert snapshot.rows[0, 0] == 21
    assert set(snapshot.scalar("alpha")) == {3.0}
    assert [i.run for i in store.family(child["run"])] == [parent, child["run"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "15"], r"one with a checkpoint \(10, 20, 30, 40\)"),
        (["--at", "20", "--width", "9"], "width should be 8 as in the run that is forked"),
        (["--at", "20", "--alpha", "9"], "alpha should be in"),
    ],
)
def test_a_wrong_fork_is_one_clear_line_and_no_run(train, run_cli, store, arguments, message):
    import re

    parent = train("--steps", "40", "--checkpoint-every", "10", "--sigmas", "1,2")["run"]
    code, _, err = run_cli("fork", parent, *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert re.search(message, err)
    assert len(store.runs()) == 1


def test_resume_finishes_a_run_that_was_stopped(train, run_cli, store):
    whole = train("--steps", "40", "--checkpoint-every", "10", "--sigmas", "1,2")
    spec = RunSpec.parse(whole["spec"])
    run = store.create("half", spec.flat(), spec.dataset.task_names, queued=False)
    from gradnorm.lab.run_writer import record
    from gradnorm.training.control import Control
    from tests.factories import going_on

    control = Control()
    for item in record(store, run, going_on(store, run, control), control):
        if item.step == 25:
            control.stop()
    assert store.info(run).state == "stopped"
    code, out, _ = run_cli("resume", run, "--json", "-")
    result = json.loads(out)
    assert (code, result["steps"], result["outcome"]) == (0, 40, "finished")
    assert result["mean_weights"] == whole["mean_weights"]
    np.testing.assert_array_equal(store.read(run).rows, store.read(whole["run"]).rows)
    code, _, err = run_cli("resume", run)
    assert (code, err.count("\n")) == (2, 1)
    assert "should have been stopped or interrupted. Found it finished" in err


def test_methods_are_listed_with_what_they_need_and_whom_to_cite(run_cli):
    code, out, _ = run_cli("methods", "--json", "-")
    listed = {m["method"]: m for m in json.loads(out)}
    assert code == 0
    assert {m["needs"] for m in listed.values()} == {"losses", "norms", "gramian"}
    assert all(m["citation"].startswith("@") for m in listed.values())
    assert len(listed) >= 29
    heads, c = listed["cagrad"]["hyperparameters"]
    assert (heads["key"], heads["default"]) == ("heads", "own")
    assert (c["key"], c["low"], c["high"], c["default"]) == ("c", 0, 1, 0.5)
    code, out, _ = run_cli("methods")
    assert out.decode().count("\n") == len(listed)


def test_cite_gives_each_paper_of_a_run_s_family_once(run_cli, store):
    run = store.create("a", {**SPEC, "method": "mgda"}, ("a", "b"), queued=False)
    code, out, _ = run_cli("cite", run)
    assert code == 0
    assert out.decode().startswith("@inproceedings{sener2018multi,\n  title={Multi-Task")
    code, out, _ = run_cli("cite")
    assert out.decode().count("chen2018gradnorm") == 1


def test_where_there_is_no_terminal_progress_is_a_line_a_tenth(capsys):
    progress = Progress("Figure 2, 2 tasks")
    for done in range(1, 41):
        progress.take(done, 30 if done <= 3 else 40)
    progress.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"Figure 2, 2 tasks: {3 if i == 1 else 4 * i} of {30 if i == 1 else 40} runs" for i in range(1, 11)
    ]


@pytest.mark.slow
def test_figure_2_writes_table_and_figure(run_cli, tmp_path):
    code, out, err = run_cli(
        "figure2", "--tasks", "2", "--seeds", "2", "--steps", "10", "--draws", "2", "--jobs", "2", "--out", tmp_path,
        "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert code == 0
    assert err.splitlines()[-1].startswith("Figure 2, 2 tasks: ")
    table = (tmp_path / "figure2-2.md").read_text()
    assert table.strip() == out.decode().strip()
    assert [line.split(" | ")[0] for line in table.splitlines()[2:9]] == [
        "| Equal weights", "| Uncertainty weighting", "| Tuned fixed weights", "| GradNorm, log update, α 0.12",
        "| GradNorm, α 0.12", "| GradNorm Static", "| Single tasks, one seed",
    ]  # fmt: skip
    assert table.count("GradNorm's median final test loss") == 5
    assert table.count("GradNorm's test loss averaged over the run") == 5
    result = json.loads((tmp_path / "result.json").read_text())
    assert {"equal", "uncertainty", "gradnorm", "static"} < result["best"].keys()
    for row in ("equal", "gradnorm-log", "gradnorm", "static"):
        assert [t["seed"] for t in result["trials"] if t["method"] == row] == [1, 2]
    (fixed,) = {t["method"] for t in result["trials"]} & result["draws"].keys()
    assert result["best"]["fixed"] == result["best"][fixed]
    lowest = {name: min(result["search"][name].values()) for name in result["draws"]}
    assert lowest[fixed] == min(lowest.values())
    assert (tmp_path / "figure2-2.svg").read_text().startswith("<?xml")

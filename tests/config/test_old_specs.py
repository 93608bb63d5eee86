"""What specs mean that were written before their method had all of today's options."""

import tarfile
from pathlib import Path

import pytest

from gradnorm.config.spec import RunSpec, carried, changed, methods
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.runs.store import RunStore
from tests.factories import TINY

HOMES = Path(__file__).parents[1] / "runs" / "homes"
LATER = GradNormMethod.former.keys()
# As the first version wrote it.
FIRST = {
    "dataset": "toy", "tasks": 2, "sigmas": [1.0, 2.0], "spread": "variance", "inputs": "normal", "input_scale": 1.0,
    "method": "gradnorm", "alpha": 1.5, "update": "log", "weight_learning_rate": 0.01, "seed": 0, "steps": 40,
    "batch_size": 4, "optimizer": "sgd", "learning_rate": 0.001, "schedule": "constant", "initialization": "he",
    "width": 8, "depth": 1, "eval_every": 20, "watch_norms": True, "pace": 0.0, "device": "cpu", "threads": 1,
}  # fmt: skip


@pytest.fixture
def other_defaults(monkeypatch):
    """Have the options that came later mean in old specs what is no default, so that a test can tell."""
    former = {"heads": "own", "half_life": 12.0, "every": 3, "priorities": (), "least": 0.25, "most": 32.0}
    assert former.keys() == LATER
    monkeypatch.setattr(GradNormMethod, "former", former)
    return former


def options_of(spec):
    return {key: getattr(spec.method, key) for key in LATER}


def test_a_whole_spec_without_them_means_what_it_meant(other_defaults):
    assert options_of(RunSpec.parse(FIRST)) == other_defaults
    # One that gives them is of today.
    again = RunSpec.parse({**FIRST, "heads": "weighted", "every": 7})
    assert options_of(again) == {**other_defaults, "heads": "weighted", "every": 7}
    assert RunSpec.parse(again.flat()) == again


def test_what_is_left_out_of_a_spec_by_hand_has_its_default(other_defaults):
    defaults = {key: GradNormMethod.model_fields[key].default for key in LATER}
    for flat in ({"dataset": "toy"}, {"dataset": "toy", "alpha": 0.5, "steps": 40, "seed": 1}, TINY):
        assert options_of(RunSpec.parse(flat)) == defaults


def test_another_method_takes_its_own_defaults_and_not_what_old_specs_meant(other_defaults):
    base = RunSpec.parse({"dataset": "toy", "method": "dwa"}).flat()
    spec = changed(base, {"method": "gradnorm"})
    assert options_of(spec) == {key: GradNormMethod.model_fields[key].default for key in LATER}
    assert changed(base, {"method": "gradnorm", "heads": "own"}).method.heads == "own"
    # What was set is kept, and an old spec that stays with its method is still one.
    assert carried({**base, "heads": "own"}, {"method": "gradnorm"})["heads"] == "own"
    assert options_of(changed(FIRST, {"alpha": 0.5})) == other_defaults


@pytest.mark.parametrize("name", list(methods()))
def test_heads_of_old_specs_are_those_that_the_method_had(name):
    """Gradient surgery has always left the heads alone; all others have weighed them."""
    old = {**FIRST, "method": name}
    for key in GradNormMethod.model_fields:
        if key not in methods()[name].model_fields:
            old.pop(key, None)
    assert RunSpec.parse(old).method.heads == methods()[name].former["heads"]


@pytest.mark.parametrize("home", sorted(HOMES.glob("*.tar.gz")), ids=lambda path: path.name.removesuffix(".tar.gz"))
def test_runs_of_stored_homes_are_read_as_old_ones(home, tmp_path, other_defaults):
    with tarfile.open(home) as archive:
        archive.extractall(tmp_path, filter="data")
    store = RunStore(tmp_path)
    flats = [info.spec for info in store.runs()]
    assert flats
    for flat in flats:
        given = options_of(RunSpec.parse({"dataset": "toy", "tasks": 2} | {k: flat[k] for k in LATER & flat.keys()}))
        assert options_of(RunSpec.parse(flat)) == other_defaults | {key: given[key] for key in LATER & flat.keys()}
    store.close()

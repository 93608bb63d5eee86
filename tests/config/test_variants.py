"""Specs made from specs: contenders, forks, static weights, and the names that tell them apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.config.spec import RunSpec, SpecError, methods, preset
from gradnorm.config.variants import combinations, contender, contenders, fork, labels, product, static

BASE = preset("toy-2")


def test_contenders_share_all_but_what_they_name():
    equal, slow, other = contenders(BASE, "equal, gradnorm:alpha=0.5, gradnorm:alpha=0.5:seed=3")
    assert [s.method.name for s in (equal, slow, other)] == ["equal", "gradnorm", "gradnorm"]
    assert (slow.flat()["alpha"], slow.seed, other.seed) == (0.5, BASE.seed, 3)
    assert {s.dataset for s in (equal, slow, other)} == {BASE.dataset}
    assert {s.steps for s in (equal, slow, other)} == {BASE.steps}


def test_a_contender_keeps_the_base_s_hyperparameters_where_it_names_none():
    assert contender(BASE, "gradnorm").flat()["alpha"] == 0.12
    assert contender(BASE, "static:weights=1;3").flat()["weights"] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("equal", "should have 2 to 64 contenders. Found 1"),
        ("", "should have 2 to 64 contenders. Found 0"),
        ("equal,nothing", "method should be one of"),
        ("equal,gradnorm:alpha", "METHOD:KEY=VALUE"),
        ("equal,gradnorm:alpha=9", r"alpha should be in \[0, 5\]"),
        ("equal,gradnorm:steps=9", "steps should be the same for all contenders"),
        ("equal,gradnorm:sigmas=1;2", "sigmas should be the same for all contenders"),
        ("equal,gradnorm,equal", "Contenders should differ. Found Equal weights twice"),
        ("equal,gradnorm:colour=red", "colour should be an option"),
        (",".join(f"equal:seed={seed}" for seed in range(65)), "should have 2 to 64 contenders. Found 65"),
    ],
)
def test_a_wrong_race_is_told(text, message):
    with pytest.raises(SpecError, match=message):
        contenders(BASE, text)


def test_a_product_has_every_alpha_for_the_methods_that_have_one_and_every_seed():
    found = product(BASE, ["equal", "gradnorm"], [0.0, 1.5], [1, 2])
    assert [(s.method.name, s.flat().get("alpha"), s.seed) for s in found] == [
        ("equal", None, 1), ("gradnorm", 0.0, 1), ("gradnorm", 1.5, 1),
        ("equal", None, 2), ("gradnorm", 0.0, 2), ("gradnorm", 1.5, 2),
    ]  # fmt: skip
    assert len(product(BASE, ["equal", "gradnorm"], [], [])) == 2
    assert len(combinations(["equal", "gradnorm"], [0.0, 1.5], [1, 2])) == len(found)


def test_64_contenders_race_and_each_has_a_name():
    found = contenders(BASE, ",".join(f"gradnorm:alpha={i / 20}" for i in range(64)))
    names = labels([spec.flat() for spec in found])
    assert len(set(names)) == 64


@given(st.lists(st.sampled_from(list(methods())), min_size=2, max_size=8, unique=True))
def test_labels_tell_contenders_apart(names):
    base = preset("toy-2")
    found = labels([s.flat() for s in contenders(base, ",".join(names))])
    assert len(set(found)) == len(names)


def test_labels_say_what_differs_and_nothing_else():
    specs = contenders(BASE, "equal,gradnorm:alpha=0.5,gradnorm:alpha=0.5:learning_rate=0.01")
    rate = f"learning rate {BASE.learning_rate:g}"
    assert labels([s.flat() for s in specs]) == [
        "Equal weights",
        f"GradNorm α 0.5 {rate}",
        "GradNorm α 0.5 learning rate 0.01",
    ]


def test_a_fork_changes_method_and_rates_but_neither_data_nor_network():
    flat = BASE.flat()
    found = fork(flat, {"method": "uncertainty", "learning_rate": 0.01})
    assert (found.method.name, found.learning_rate, found.dataset) == ("uncertainty", 0.01, BASE.dataset)
    assert fork(flat, {}) == BASE
    for key, value in (
        ("width", 50),
        ("depth", 2),
        ("sigmas", "1,2"),
        ("dataset", "digits"),
        ("tasks", 3),
        ("seed", 9),
    ):
        with pytest.raises(SpecError, match="as in the run that is forked"):
            fork(flat, {key: value})


def test_static_is_the_same_run_with_fixed_weights():
    found = static(BASE, [0.5, 1.5])
    assert found.method.start(__import__("torch").ones(2), ["regression"] * 2).weights.tolist() == [0.5, 1.5]
    plain = {k: v for k, v in found.flat().items() if k not in ("method", "weights")}
    assert all(BASE.flat()[key] == value for key, value in plain.items())
    assert isinstance(found, RunSpec)

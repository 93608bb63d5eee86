"""A spec in its forms: flat, JSON, a URL's query; its ranges and its messages."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradnorm.common.declarations import names_as_text
from gradnorm.config.options import options, without_effect
from gradnorm.config.spec import PRESETS, RunSpec, SpecError, carried, changed, datasets, methods, preset
from gradnorm.datasets.by_path.own_table import target_of

PAIRS = [(dataset, method) for dataset in datasets() for method in methods()]
# What hangs on the number of tasks has another bound for each data set.
BY_TASKS = {"task", "noise"}
# What hangs on other options: a scene needs one task at least, keypoints a file, a network data
# that suit it, epochs rows, and gradient surgery the gradients of parameters.
BY_OTHERS = {"learn_classes", "learn_keypoints", "network", "epochs", "patience", "measured_at"}
# Each option once: a data set's with one method, a method's and the run's with one data set.
BOUNDED = [
    (d, m, o)
    for d, m in PAIRS
    for o in options(d, m)
    if o.low is not None
    and o.key not in BY_TASKS | {"epochs", "patience"}
    and (o.part == "dataset" or d == "toy")
    and (o.part == "method" or m == "gradnorm")
]


# Columns may be called anything, as long as no blanks are around it.
NAMES = (
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(',":\n\r '), max_size=12)
    .map(str.strip)
    .filter(bool)
)


def is_open_below(option):
    """Whether the lower bound itself is refused."""
    zero_is_fine = {"alpha", "pace", "c", "decay", "weight_decay", "validation_share", "least", "smoothing", "lookback"}
    return option.low == 0 and option.kind == "number" and option.key not in zero_is_fine


def values(option):
    """Return a strategy for one option's valid values."""
    if option.kind == "switch":
        return st.booleans()
    if option.kind == "choice":
        return st.sampled_from(option.choices)
    if option.kind == "integer":
        step = option.extra.get("step", 1)
        return st.integers(int(option.low) // step, int(option.high) // step).map(lambda n: n * step)
    if option.kind == "text":
        return st.text(max_size=20)
    if option.kind == "names":
        return st.lists(NAMES, max_size=4, unique_by=lambda text: target_of(text)[0])
    return st.floats(option.low, option.high, exclude_min=is_open_below(option))


@st.composite
def flat_specs(draw):
    dataset, method = draw(st.sampled_from(PAIRS))
    flat = {"dataset": dataset, "method": method}
    for option in options(dataset, method):
        if option.kind != "numbers" and option.key not in BY_TASKS | BY_OTHERS and draw(st.booleans()):
            flat[option.key] = draw(values(option))
    if dataset == "toy" and draw(st.booleans()):
        size = flat.get("tasks", draw(st.integers(1, 64)))
        flat["sigmas"] = draw(st.lists(st.floats(1e-6, 1e6), min_size=size, max_size=size))
    return flat


@given(flat_specs())
def test_a_spec_holds_what_was_given(flat):
    found = RunSpec.parse(flat).flat()
    assert {key: found[key] for key in flat} == flat


@given(flat_specs())
def test_flat_and_parse_are_inverse(flat):
    spec = RunSpec.parse(flat)
    assert RunSpec.parse(spec.flat()) == spec


@given(flat_specs())
def test_json_and_parse_are_inverse(flat):
    spec = RunSpec.parse(flat)
    assert RunSpec.from_json(spec.to_json()) == spec
    assert json.loads(spec.to_json()) == spec.flat()


@given(flat_specs())
def test_query_and_parse_are_inverse(flat):
    spec = RunSpec.parse(flat)
    query = spec.query()
    assert all(isinstance(part, str) for part in [*query, *query.values()])
    assert RunSpec.parse(query) == spec


@given(flat_specs())
def test_text_is_read_as_numbers(flat):
    def text(value):
        if isinstance(value, list):
            return names_as_text(value) if isinstance(next(iter(value), ""), str) else ",".join(map(repr, value))
        return str(value)

    assert RunSpec.parse({key: text(value) for key, value in flat.items()}) == RunSpec.parse(flat)


@given(flat_specs())
def test_a_spec_knows_its_tasks(flat):
    spec = RunSpec.parse(flat)
    names = spec.dataset.task_names
    assert len(names) == len(set(names)) >= 1
    if spec.dataset.name == "toy":
        assert len(names) == spec.dataset.tasks == len(spec.dataset.sigmas)


def test_a_default_spec_has_a_short_query():
    assert set(RunSpec.parse({}).query()) == {"dataset", "method", "tasks", "sigmas"}
    assert set(RunSpec.parse({"dataset": "digits"}).query()) == {"dataset", "method"}
    assert set(RunSpec.parse({"dataset": "digits", "seed": 3}).query()) == {"dataset", "method", "seed"}


@pytest.mark.parametrize(("dataset", "method"), PAIRS)
def test_every_option_has_title_help_and_a_valid_default(dataset, method):
    spec = RunSpec.parse({"dataset": dataset, "method": method}).flat()
    found = options(dataset, method)
    assert {o.key for o in found} == set(spec) - {"dataset", "method"}
    for option in found:
        assert option.title not in ("", option.key), option.key
        assert len(option.help) > 10, option.key
        assert option.default is not None, option.key
        assert option.part in ("dataset", "method", "run")
        if option.kind in ("integer", "number"):
            assert option.low <= option.default <= option.high, option.key
        if option.kind == "choice":
            assert option.default in option.choices, option.key


def test_all_options_together_are_those_of_every_pair():
    assert {o.key for o in options()} == {o.key for d, m in PAIRS for o in options(d, m)}
    assert len({o.key for o in options()}) == len(options())


def test_a_key_of_several_data_sets_tells_what_each_means_by_it():
    (path,) = (option for option in options() if option.key == "path")
    assert path.kind == "text"
    assert path.extra.get("path")
    for name in ("mtan", "mtfl", "nyuv2", "sarcos"):
        (own,) = (option for option in options(name, "gradnorm") if option.key == "path")
        assert own.help in path.help


def test_what_is_live_is_what_the_methods_say():
    live = {"alpha", "weight_learning_rate", "hold", "smoothing", "sharpness", "lookback"}
    live |= {"half_life", "priorities", "least", "most"}
    assert {o.key for o in options() if o.live} == live


def test_options_that_do_nothing_beside_the_others_are_told():
    closed, log = (RunSpec.parse({"method": "gradnorm", "update": update}) for update in ("closed", "log"))
    assert without_effect(closed, ["alpha", "half_life", "unknown"]) == []
    (told,) = without_effect(closed, ["alpha", "weight_learning_rate"])
    assert told == (
        "--weight-learning-rate has an effect only with --update log or adam or sgd. Found closed. "
        "Give one of these, or leave --weight-learning-rate out."
    )
    assert without_effect(log, ["weight_learning_rate"]) == []
    assert len(without_effect(log, ["half_life"])) == 1
    # Other methods have a weight learning rate without conditions.
    assert without_effect(RunSpec.parse({"method": "uncertainty"}), ["weight_learning_rate"]) == []


def test_what_an_option_hangs_on_is_there_with_values_that_it_can_have():
    for dataset, method in PAIRS:
        by_key = {option.key: option for option in options(dataset, method)}
        for option in by_key.values():
            for other, wanted in option.extra.get("with", {}).items():
                assert set(wanted) < set(by_key[other].choices)


@pytest.mark.parametrize(("dataset", "method", "option"), BOUNDED, ids=lambda v: getattr(v, "key", v))
def test_bounds_are_enforced(dataset, method, option):
    base = {"dataset": dataset, "method": method}
    whole = option.kind == "integer"
    low, high = (int(option.low), int(option.high)) if whole else (option.low, option.high)
    step = 1 if whole else 1e-6 * max(1.0, high)
    if not is_open_below(option):
        assert RunSpec.parse({**base, option.key: low}).flat()[option.key] == low
    assert RunSpec.parse({**base, option.key: high}).flat()[option.key] == high
    for value in (low if is_open_below(option) else low - step, high + step):
        with pytest.raises(SpecError) as caught:
            RunSpec.parse({**base, option.key: value})
        message = str(caught.value)
        assert message.startswith(f"{option.key} should be ")
        assert f"Found {value!r}." in message
        assert message.endswith(f"Set it with --{option.key.replace('_', '-')}.")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "inf", None, "", "x", [], {}])
@pytest.mark.parametrize("key", ["alpha", "learning_rate", "steps", "seed", "weight_learning_rate", "tasks"])
def test_what_is_no_finite_number_is_refused(key, value):
    with pytest.raises(SpecError, match=f"^{key} should be "):
        RunSpec.parse({key: value})


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        ({"alpha": -1.0}, "alpha should be in [0, 5]. Found -1.0. Set it with --alpha."),
        ({"learning_rate": 0}, "learning_rate should be in (0, 10]. Found 0. Set it with --learning-rate."),
        ({"width": 0}, "width should be a whole number in [1, 4096]. Found 0. Set it with --width."),
        ({"optimizer": "lion"}, "optimizer should be one of sgd, adam. Found 'lion'. Set it with --optimizer."),
        ({"dataset": "x"}, f"dataset should be one of {', '.join(datasets())}. Found 'x'. Set it with --dataset."),
        ({"method": "x"}, "method should be one of aligned-mtl, cagrad, codec, "),
        ({"tasks": 2, "sigmas": (1.0,)}, "sigmas should have one value for each of the 2 tasks. Found 1. Give as many"),
        ({"sigmas": (1.0, 0.0)}, "sigmas should be in [0.000001, 1000000]. Found 0. Choose a σ > 0."),
        ({"sigmas": "1;b"}, "sigmas should be numbers with commas between, as in 1,100. Found '1;b'."),
    ],
)
def test_a_fault_is_one_line_that_says_what_to_do(flat, message):
    with pytest.raises(SpecError) as caught:
        RunSpec.parse(flat)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flat", "key"),
    [
        ({"gone": 1}, "gone"),
        ({"method": "equal", "alpha": 1}, "alpha"),
        ({"dataset": "digits", "sigmas": "1"}, "sigmas"),
        ({"Alpha": 1}, "Alpha"),
    ],
)
def test_an_option_of_something_else_is_named_with_those_there_are(flat, key):
    with pytest.raises(
        SpecError, match=rf"^{key} should be an option of .* Found '{key}'. The options are: .*batch_size"
    ):
        RunSpec.parse(flat)


@given(
    st.dictionaries(st.sampled_from([o.key for o in options()]), st.text() | st.floats() | st.integers(), max_size=4)
)
@settings(max_examples=200)
def test_any_values_give_a_spec_or_a_spec_error(flat):
    try:
        spec = RunSpec.parse(flat)
    except SpecError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert RunSpec.parse(spec.flat()) == spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,100", (1, 100)),
        ("1, 100", (1, 100)),
        ("1 100", (1, 100)),
        ("1;100", (1, 100)),
        ("2.5", (2.5,)),
        (" 1,,2 ", (1, 2)),
    ],
)
def test_sigmas_may_be_typed(text, expected):
    assert RunSpec.parse({"sigmas": text}).dataset.sigmas == expected


@given(st.text(alphabet="0123456789.,; eE-+naif", max_size=12))
def test_any_text_for_sigmas_gives_a_spec_or_a_spec_error(text):
    try:
        sigmas = RunSpec.parse({"sigmas": text}).dataset.sigmas
    except SpecError:
        return
    assert all(1e-6 <= s <= 1e6 for s in sigmas)


def test_sigmas_and_tasks_fill_each_other():
    assert RunSpec.parse({"sigmas": [1, 2, 3]}).dataset.tasks == 3
    assert len(RunSpec.parse({"tasks": 5}).dataset.sigmas) == 5
    assert RunSpec.parse({"tasks": "5"}) == RunSpec.parse({"tasks": 5})


def test_a_whole_number_written_as_a_fraction_is_that_number():
    assert RunSpec.parse({"steps": 9.0}).steps == 9
    assert RunSpec.parse({"tasks": 3.0}) == RunSpec.parse({"tasks": 3})


def test_a_data_sets_recommendation_gives_way_to_what_is_given():
    assert RunSpec.parse({"dataset": "digits"}).optimizer == "adam"
    assert RunSpec.parse({"dataset": "digits", "optimizer": "sgd"}).optimizer == "sgd"
    assert RunSpec.parse({"dataset": "table"}).method.alpha == 0.12
    assert "alpha" not in RunSpec.parse({"dataset": "diamonds", "method": "equal"}).flat()


TABLE = {"dataset": "table", "file": "t.csv", "targets": ["a"]}
LATER = ("epochs", "patience", "weight_decay", "validation_share", "reading")


def test_a_spec_of_before_there_were_epochs_means_what_it_meant():
    written = {**RunSpec.parse({**TABLE, "missing": "fill", "steps": 2000, "schedule": "cosine"}).flat()}
    old = {key: value for key, value in written.items() if key not in LATER}
    found = RunSpec.parse(old).flat()
    assert [found[key] for key in LATER] == [0, 0, 0, 0, "plain"]
    assert {key: found[key] for key in old} == old


def test_a_length_in_steps_takes_the_place_of_recommended_epochs():
    assert RunSpec.parse(TABLE).epochs > 0
    assert RunSpec.parse({**TABLE, "steps": 500}).epochs == 0
    both = RunSpec.parse({**TABLE, "steps": 500, "epochs": 30})
    assert (both.steps, both.epochs) == (500, 30)
    assert changed(both.flat(), {"steps": 70}).epochs == 0
    assert changed(both.flat(), {"seed": 1}).epochs == 30
    assert RunSpec.parse(both.query()) == both
    assert changed(both.flat(), {"dataset": "toy"}).patience == 0


@pytest.mark.parametrize("key", ["epochs", "patience"])
def test_epochs_need_rows(key):
    with pytest.raises(
        SpecError, match=rf"^{key} should be 0 for toy, which has no counted rows\. Found 0\.5\. Set steps"
    ):
        RunSpec.parse({"dataset": "toy", key: 0.5})


def test_the_default_toy_is_the_same_every_time():
    assert RunSpec.parse({}) == RunSpec.parse({}) == RunSpec.parse({"dataset": "toy", "method": "gradnorm"})


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_specs(name):
    spec = preset(name)
    flat = spec.flat()
    for key, value in PRESETS[name].items():
        assert flat[key] == (list(value) if isinstance(value, tuple) else value)
    assert RunSpec.parse(spec.query()) == spec


def test_the_paper_toys_have_2_and_10_tasks():
    assert preset("toy-2").dataset.sigmas == (1.0, 100.0)
    assert len(preset("toy-10").dataset.sigmas) == 10


def test_an_unknown_preset_is_refused():
    with pytest.raises(SpecError, match=r"preset should be one of toy-2, .* Found 'toy-3'"):
        preset("toy-3")


@pytest.mark.parametrize("dataset", list(datasets()))
def test_a_network_suits_the_data(dataset):
    (network,) = (option for option in options(dataset, "gradnorm") if option.key == "network")
    for name in network.choices:
        given = {"dataset": dataset, "network": name}
        if name in ("auto", *datasets()[dataset].networks):
            assert RunSpec.parse(given).network == name
        else:
            with pytest.raises(
                SpecError, match=f"^network should be one that suits {dataset}: auto, .* Found '{name}'"
            ):
                RunSpec.parse(given)


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_may_change_data_set_and_method(name):
    for dataset, method in PAIRS:
        spec = preset(name, {"method": method, "dataset": dataset})
        assert (spec.method.name, spec.dataset.name) == (method, dataset)


@pytest.mark.parametrize(("dataset", "method"), PAIRS)
def test_no_option_hides_another_of_the_same_name(dataset, method):
    parts = (datasets()[dataset], methods()[method], RunSpec)
    keys = [key for part in parts for key in part.model_fields]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("base", "changes", "expected"),
    [
        ({"dataset": "toy", "tasks": 2, "seed": 1}, {}, {"dataset": "toy", "tasks": 2, "seed": 1}),
        ({"dataset": "toy", "tasks": 2, "sigmas": (1, 2)}, {"tasks": 3}, {"dataset": "toy", "tasks": 2}),
        ({"dataset": "toy", "tasks": 2, "sigmas": (1, 2)}, {"sigmas": (1,)}, {"dataset": "toy", "sigmas": (1, 2)}),
        (
            {"dataset": "toy", "tasks": 2, "sigmas": (1, 2)},
            {"sigmas": (1, 2, 3), "tasks": 3},
            {"dataset": "toy", "tasks": 2, "sigmas": (1, 2)},
        ),
        ({"method": "gradnorm", "alpha": 1.0, "seed": 2}, {"method": "equal"}, {"method": "gradnorm", "seed": 2}),
        (
            {"method": "gradnorm", "alpha": 1.0, "weight_learning_rate": 0.1},
            {"method": "uncertainty"},
            {"method": "gradnorm", "weight_learning_rate": 0.1},
        ),
        # A default of one method says nothing of another's.
        ({"method": "gradnorm", "weight_learning_rate": 0.01, "seed": 2}, {"method": "famo"}, {"seed": 2}),
        ({"method": "dwa", "temperature": "2", "period": 50}, {"method": "relobralo"}, {}),
        ({"method": "codec", "smoothing": 0.5, "weights": []}, {"method": "db-mtl"}, {"smoothing": 0.5}),
        ({"method": "codec", "smoothing": 0.999}, {"seed": 3}, {"smoothing": 0.999}),
        ({"dataset": "toy", "sigmas": (1, 2), "seed": 2}, {"dataset": "digits"}, {"dataset": "toy", "seed": 2}),
        ({"dataset": "toy", "tasks": 2}, {"dataset": "gone"}, {"dataset": "toy", "tasks": 2}),
    ],
)
def test_what_still_makes_sense_is_carried_over(base, changes, expected):
    found = carried(base, changes)
    assert {k: v for k, v in found.items() if k not in ("dataset", "method")} == {
        k: v for k, v in expected.items() if k not in ("dataset", "method")
    }


@given(flat_specs(), st.sampled_from(PAIRS))
def test_any_spec_may_change_data_set_and_method(flat, pair):
    base = RunSpec.parse(flat).flat()
    changes = dict(zip(("dataset", "method"), pair, strict=True))
    found = RunSpec.parse({**carried(base, changes), **changes}).flat()
    same = {"seed", "steps", "width", "learning_rate", "optimizer", "device"}
    assert {key: found[key] for key in same} == {key: base[key] for key in same}


@pytest.mark.parametrize(
    ("flat", "title"),
    [
        ({"dataset": "toy", "tasks": 3, "alpha": 0.12, "seed": 4}, "toy-3 · GradNorm α 0.12 · seed 4"),
        ({"dataset": "digits", "method": "equal"}, "digits-3 · Equal weights · seed 0"),
    ],
)
def test_a_title_says_data_set_method_and_seed(flat, title):
    assert RunSpec.parse(flat).title == title


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '"toy"', "null", b"{'dataset': 'toy'}"])
def test_a_text_that_is_no_json_object_is_refused(text):
    with pytest.raises(SpecError, match="A spec should be a JSON object"):
        RunSpec.from_json(text)


def test_a_spec_is_a_value():
    spec = RunSpec.parse({})
    with pytest.raises(ValueError, match="frozen"):
        spec.steps = 5
    assert spec.model_dump() == RunSpec.parse({}).model_dump()

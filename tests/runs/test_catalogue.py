"""The list of runs is searched, filtered, sorted and paged as a plain filter would do it."""

from __future__ import annotations

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.runs.database import Database
from gradnorm.runs.groups import Group
from gradnorm.runs.query import SORTS, Query, Setting, terms
from gradnorm.runs.records import Checkpoint, Evaluation, Outcome
from gradnorm.runs.store import RunStore
from tests.factories import evaluation, step_records

TASKS = ("a", "b")
SPECS = (
    {"dataset": "toy", "method": "gradnorm", "alpha": 0.5, "sigmas": [1.0, 100.0], "seed": 0, "watch_norms": True},
    {"dataset": "toy", "method": "equal", "sigmas": [1.0, 2.0], "seed": 1, "watch_norms": False},
    {"dataset": "digits", "method": "gradnorm", "alpha": 1.5, "seed": 2, "path": "Häuser.csv"},
    {"dataset": "digits", "method": "dwa", "seed": 3, "note": "a \"quoted\" 'text'"},
    {"recorded": True, "title": "my own loop"},
)
NAMES, NOTES = ("", "Erste", "zweite Übung", "100 %"), ("", "too slow?", "as in Figure 4_b")
TAGS = ((), ("keep",), ("keep", "übung"), ("a b",))
LOSSES = (None, 0.5, 2.0, math.inf, math.nan)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """Return a store of 60 runs with all kinds of labels, ends and groups, and the runs as they are, newest first."""
    store = RunStore(tmp_path_factory.mktemp("catalogue") / "home")
    kinds = itertools.cycle(itertools.product(NAMES, TAGS, LOSSES, SPECS, NOTES))
    for i, (name, tags, loss, spec, notes) in enumerate(itertools.islice(kinds, 0, 60 * 17, 17)):
        if i % 10 == 4:
            run, _ = store.create_race([("race · one", spec), ("race · two", spec)], TASKS, queued=False)
        else:
            run = store.create(f"{spec.get('dataset', 'a script')} · {i}", spec, TASKS, queued=False)
        steps = step_records(1, i % 4)
        evaluations = [] if loss is None else [evaluation(0), Evaluation(9, (1.0, 1.0), (1.0, 1.0), loss, ({}, {}))]
        store.append(run, steps, evaluations, i % 3)
        if i % 5:
            store.end(run, Outcome(("finished", "stopped", "failed")[i % 3], 1))
        store.catalogue.rename(run, name)
        store.catalogue.note(run, notes)
        store.catalogue.tag([run], tags)
        store.catalogue.pin([run], i % 7 == 0)
        if i % 5 and i % 8 == 0:
            store.catalogue.trash([run])
    parent = store.create("parent", SPECS[0], TASKS, queued=False)
    store.checkpoints.write(parent, Checkpoint(3, b"state"))
    child = store.create("child", SPECS[0], TASKS, queued=False, parent=parent, forked_at=3)
    store.create("grandchild", SPECS[0], TASKS, queued=False, parent=child)
    store.create("sister", SPECS[0], TASKS, queued=False, parent=parent)
    runs = [page.entries for page in _pages(store, Query())] + [
        page.entries for page in _pages(store, Query(trashed=True))
    ]
    entries = sorted((entry for part in runs for entry in part), key=lambda entry: entry.info.run)
    order = {run: i for i, run in enumerate(_by_number(store))}
    yield store, sorted(entries, key=lambda entry: -order[entry.info.run])
    store.close()


def _by_number(store):
    with Database(store.home / "gradnorm.db").read() as db:
        return [run for (run,) in db.execute("SELECT run FROM runs ORDER BY number")]


def _pages(store, query, size=50):
    first = store.catalogue.find(query, size)
    rest = [store.catalogue.find(Query(**{**vars(query), "page": k}), size) for k in range(2, first.pages + 1)]
    return [first, *rest]


def naive(entries, query):
    """Return the ids of the runs that match, in their order: each condition as a person would check it."""

    def matches(entry):
        info, labels = entry.info, entry.info.labels
        spec = dict(info.spec)
        words = "\n".join(
            [info.run, info.title, labels.name, labels.notes, *labels.tags]
            + [spec[key] for key in ("dataset", "method") if key in spec]
        ).casefold()
        return (
            (labels.trashed is not None) == query.trashed
            and query.state in ("", info.state)
            and query.dataset in ("", spec.get("dataset"))
            and query.method in ("", spec.get("method"))
            and (not query.tag or query.tag in labels.tags)
            and (not query.pinned or labels.pinned)
            and (not query.group or entry.group == Group(entry.group.kind if entry.group else "", query.group))
            and all(_set(spec, *term) if isinstance(term, Setting) else term in words for term in terms(query.text))
        )

    def rank(entry):
        info = entry.info
        known = entry.loss is not None and not math.isnan(entry.loss)
        return {
            "newest": 0,
            "name": (info.labels.name or info.title).casefold(),
            "loss": (0, entry.loss) if known else (1, 0.0),
            "steps": -info.steps,
            "duration": -info.seconds,
        }[query.sort]

    found = sorted(filter(matches, entries), key=rank)
    return [entry.info.run for entry in sorted(found, key=lambda entry: not entry.info.labels.pinned)]


def _set(spec, key, comparison, wanted):
    value = spec.get(key)
    if value is None:
        return False
    if isinstance(value, list):
        parts = wanted.split(",")
        return (
            comparison == "="
            and len(parts) == len(value)
            and all(_number(p) == v for p, v in zip(parts, value, strict=True))
        )
    number = _number(wanted)
    if number is not None and isinstance(value, bool | int | float):
        checks = {"=": value == number, "<": value < number, ">": value > number}
        checks |= {"<=": checks["<"] or checks["="], ">=": checks[">"] or checks["="]}
        return checks[comparison]
    text = value if isinstance(value, str) else json.dumps(value)
    return comparison == "=" and text.casefold() == wanted.casefold()


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


words = st.sampled_from(
    ["toy", "GRADNORM", "übung", "Ü", "erste", "%", "_", "·", "4_b", '"a b"', '"zweite übung"', "'", "\\", '"']
)
settings = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        ["alpha", "seed", "sigmas", "watch_norms", "path", "dataset", "steps", "nothing", "note", "recorded"]
    ),
    st.sampled_from(["=", "<", ">", "<=", ">="]),
    st.sampled_from(["0.5", "1", "1.5", "1,100", "1,2", "häuser.CSV", "TOY", "true", "True", "", "nan", "2"]),
)
texts = st.lists(words | settings | st.text(max_size=3), max_size=3).map(" ".join)
queries = st.builds(
    Query,
    text=texts,
    dataset=st.sampled_from(["", "", "toy", "digits", "none"]),
    method=st.sampled_from(["", "", "gradnorm", "equal"]),
    state=st.sampled_from(["", "", "finished", "running", "failed"]),
    tag=st.sampled_from(["", "", "keep", "übung", "a b", "a"]),
    pinned=st.booleans(),
    trashed=st.booleans(),
    sort=st.sampled_from(SORTS),
    page=st.integers(1, 4),
)


@given(query=queries, size=st.integers(1, 20))
def test_any_query_gives_what_a_plain_filter_gives_page_by_page(listed, query, size):
    store, entries = listed
    expected = naive(entries, query)
    page = store.catalogue.find(query, size)
    assert (page.count, page.pages) == (len(expected), max(1, math.ceil(len(expected) / size)))
    assert page.number == min(query.page, page.pages)
    window = expected[(page.number - 1) * size : page.number * size]
    assert [entry.info.run for entry in page.entries] == window
    assert store.catalogue.ids(query) == expected


def test_each_group_lists_its_members(listed):
    store, entries = listed
    groups = {entry.group for entry in entries} - {None}
    assert {group.kind for group in groups} == {"race", "forks"}
    for group in groups:
        members = {entry.info.run for entry in entries if entry.group == group and entry.info.labels.trashed is None}
        assert set(store.catalogue.ids(Query(group=group.id))) == members
    (tree,) = [group for group in groups if group.kind == "forks"]
    titles = [store.info(run).title for run in store.catalogue.ids(Query(group=tree.id))]
    assert titles == ["sister", "grandchild", "child", "parent"]


def test_the_runs_of_a_study_are_a_group(store):
    store.create("another", SPECS[0], TASKS, queued=True)
    study = store.studies.create("grid", "a study", {})
    runs = store.studies.add_team(study, [("one", "one", SPECS[0]), ("two", "two", SPECS[1])], TASKS)
    page = store.catalogue.find(Query(group=study))
    assert [entry.info.run for entry in page.entries] == runs[::-1]
    assert {entry.group for entry in page.entries} == {Group("study", study)}


@given(query=queries)
def test_an_address_keeps_the_query(query):
    assert Query.parse(query.address()) == query


@given(
    address=st.dictionaries(st.sampled_from(["q", "page", "sort", "trash", "pinned", "tag", "x"]), st.text(max_size=5))
)
def test_any_address_is_a_query(address):
    assert Query.parse(Query.parse(address).address()) == Query.parse(address)


@given(st.text())
def test_any_text_can_be_searched_for(text):
    assert all(terms(text))


def test_what_can_be_filtered_by_is_what_there_is(listed):
    store, entries = listed
    choices = store.catalogue.choices()
    assert (choices.datasets, choices.methods) == (("digits", "toy"), ("dwa", "equal", "gradnorm"))
    assert choices.tags == ("a b", "keep", "übung")
    assert choices.trashed == sum(entry.info.labels.trashed is not None for entry in entries)

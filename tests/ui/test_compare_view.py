"""The Compare page's address: it is read as it was written, and what it can't mean is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gradnorm.comparison.curves import AXES
from gradnorm.comparison.scores import STATISTICS
from gradnorm.ui.compare.view import MOST_LAST, PICTURES, View, read

ids = st.from_regex(r"\d{8}-\d{6}-[0-9a-f]{6}", fullmatch=True)
views = st.builds(
    View,
    runs=st.lists(ids, unique=True, max_size=5).map(tuple),
    by=st.sampled_from(AXES),
    metrics=st.lists(st.text(min_size=1), unique=True, max_size=3).map(tuple),
    score=st.sampled_from(STATISTICS),
    last=st.integers(1, MOST_LAST),
    baseline=st.one_of(st.just(""), ids),
    log=st.booleans(),
    picture=st.sampled_from(PICTURES),
)


@given(views)
def test_an_address_is_read_as_it_was_written(view):
    query = {key: [value] if isinstance(value, str) else value for key, value in view.query().items()}
    assert read(query) == (view, [])


def test_what_is_as_usual_is_not_in_the_address():
    assert View(runs=("a", "b")).query() == {"runs": "a,b"}
    assert View().query() == {}


def test_what_an_address_cannot_mean_is_told():
    view, told = read({"runs": ["a, b,,a", "c"], "by": ["week"], "score": ["top"], "last": ["0"], "picture": ["gif"]})
    assert view == View(runs=("a", "b", "c"))
    assert len(told) == 4
    assert "by should be one of step, time, epoch. Found 'week'. This page shows step." in told
    assert f"last should be in [1, {MOST_LAST:,}]. Found '0'. This page takes 5." in told
    assert read({"last": ["99999999999999999999"]})[0].last == 5
    assert read({"last": ["²"]})[0].last == 5

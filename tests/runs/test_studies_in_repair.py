"""A home that is mended keeps its studies."""

import sqlite3

from gradnorm.runs.doctor import examine
from gradnorm.runs.repair import repair
from gradnorm.runs.store import RunStore
from tests.factories import SPEC, finished, step_records


def test_a_home_that_is_mended_keeps_its_studies(tmp_path):
    store = RunStore(tmp_path)
    study = store.studies.create("grid", "a grid", {"count": 3})
    (run,) = store.studies.add_team(study, [("random 1, seed 1", "one", SPEC)], ["a", "b"])
    store.studies.keep(study, {"random 1, seed 1": {"outcome": "finished"}})
    store.claim()
    store.append(run, step_records(1, 5))
    store.end(run, finished(5))
    known = store.studies.info(study), store.studies.members(study)
    store.close()
    # A block that is not as it was written.
    db = sqlite3.connect(tmp_path / "gradnorm.db")
    db.execute("UPDATE blocks SET rows = zeroblob(length(rows))")
    db.commit()
    db.close()
    findings = examine(tmp_path)
    assert findings
    repair(tmp_path, findings)
    store = RunStore(tmp_path)
    assert (store.studies.info(study), store.studies.members(study)) == known
    store.close()

"""Train the race that the first page replays, and write it down as the live socket would send it.

usage: make first-race    writes assets/live/first-race.json
"""

import base64
import json
import tempfile
import time
from pathlib import Path

from gradnorm.config.spec import preset
from gradnorm.config.variants import against_equal
from gradnorm.lab.lab import Lab
from gradnorm.runs.store import RunStore
from gradnorm.ui.live import prepared, wire
from gradnorm.ui.live.answers import Answers

FILE = Path(__file__).parents[1] / "assets" / "live" / f"{prepared.NAME}.json"
# Every so many steps a row: a chart has no more columns of pixels for them.
STRIDE = 4
# Steps between two looks at what the networks answer.
CHECKPOINTS = 80


def main() -> None:
    """Train, wait, write."""
    specs = against_equal(preset(prepared.NAME, {"device": "cpu", "checkpoint_every": CHECKPOINTS}))
    with tempfile.TemporaryDirectory() as home:
        store = RunStore(home)
        lab = Lab(store)
        runs = lab.race(specs)
        while not all(store.info(run).ended for run in runs):
            time.sleep(0.1)
        lab.close()
        told = [recorded(store, run, **named) for run, named in zip(runs, prepared.contenders(), strict=True)]
    FILE.write_text(json.dumps({"runs": told}, separators=(",", ":")) + "\n")
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


def recorded(store: RunStore, trained: str, run: str, label: str) -> dict[str, object]:
    """Return one run as the page replays it. trained: its id in the store.  run, label: what the page calls it."""
    snapshot, answers = store.read(trained, evaluated_since=-1), Answers(store)
    rows = wire.thin(snapshot.rows, STRIDE)
    hello = {**json.loads(wire.hello(snapshot.info)), "run": run, "stride": STRIDE, "answers": False}
    return {
        "run": run,
        "label": label,
        "hello": hello,
        "status": {**json.loads(wire.status(snapshot.info, None)), "message": None},
        "width": rows.shape[1],
        "rows": base64.b64encode(rows.astype("<f4").tobytes()).decode(),
        "answers": [json.loads(answers.of(trained, step)) for step in store.checkpoints.steps(trained)],
        "evaluations": json.loads(wire.evaluations(snapshot.evaluations))["rows"],
    }


if __name__ == "__main__":
    main()

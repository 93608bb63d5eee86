"""Writes the site that needs no server: `python -m tools.static_site [FOLDER]`, build/site if it is left out.

It has the playground on the toy, and the lesson.
The folder holds static files alone, for any file server. It has the layout of the sources, so that their addresses of
each other hold; what the sources of the site take from Python is written to `site/declared.json` and `site/theme.css`.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gradnorm.charts.palette import task_style
from gradnorm.common.texts import later
from gradnorm.config.options import options
from gradnorm.config.spec import RunSpec, methods, preset
from gradnorm.datasets.builtin.toy import sample_sigmas
from gradnorm.ui.theme import theme
from gradnorm.ui.words import ENGLISH, in_scripts, languages
from tools import static_lesson

ROOT = Path(__file__).parents[1]
PAGES = ("index.html", "lesson.html")
METHODS = ("gradnorm", "equal", "uncertainty")
KEYS = ("alpha", "update", "half_life", "learning_rate", "seed", "steps", "sigmas")
MOST_TASKS = 10
# What the site says otherwise: how long a browser has the patience for, and the updates that it knows.
OWN: dict[str, dict[str, Any]] = {
    "steps": {"high": 20_000},
    "update": {
        "choices": ("closed", "log"),
        "help": later("closed: the weights that meet the targets, smoothed. log: multiply by exp(∓0.01)."),
    },
    "sigmas": {"help": later("One σ > 0 a task, as in 1,100.")},
}


def build(folder: Path) -> None:
    """Write the site to a folder; what was there before is removed."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "site").is_dir():
        raise SystemExit(
            f"The folder should be empty, or hold a site. Found other files in {folder}. Name another folder."
        )
    told = declared()
    files = {"site/declared.json": json.dumps(told, ensure_ascii=False, indent=1), "site/theme.css": theme()}
    shown = [text for part in ("methods", "options") for each in told[part].values() for text in each.values()]
    files |= {
        f"assets/words/{code}.json": in_scripts(code, {text for text in shown if isinstance(text, str)})
        for code in told["languages"]
        if code != ENGLISH
    }
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("assets/live", "assets/toy", "assets/vendor", "site"):
        shutil.copytree(ROOT / part, folder / part)
    for name in ("logo.svg", "lesson.js"):
        shutil.copy(ROOT / "assets" / name, folder / "assets")
    for page in PAGES:
        (folder / "site" / page).rename(folder / page)
    static_lesson.write(folder / "lesson")
    (folder / "assets/words").mkdir()
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")


def declared() -> dict[str, Any]:
    """Return what Python declares and the site shows: methods, options, σ, the start, colours of tasks, languages."""
    known = {option.key: vars(option) | {"extra": dict(option.extra)} for option in options("toy")}
    return {
        "methods": {
            name: {
                "title": methods()[name].title,
                "summary": methods()[name].summary,
                "spec": RunSpec.parse({"dataset": "toy", "method": name}).flat(),
            }
            for name in METHODS
        },
        "options": {key: known[key] | OWN.get(key, {}) for key in KEYS},
        "sigmas": sample_sigmas(MOST_TASKS, 10.0, 0),
        "start": preset("toy-2").flat(),
        "languages": list(languages()),
        "palette": [asdict(task_style(i)) for i in range(MOST_TASKS)],
    }


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/site"
    build(target)
    print(f"The site is in {target}. Serve it, as with: python -m http.server -d {target}")

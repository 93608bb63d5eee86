"""The site as a folder of files."""

from __future__ import annotations

import json
import re

from gradnorm import RunSpec
from tests.site.conftest import build


def test_each_file_that_a_file_names_is_there(site):
    named = re.compile(r"""(?:from|import|href=|src=|URL\()\s*"(\.{0,2}/?[\w./-]+\.(?:js|css|svg|json|wasm))\"""")
    found = 0
    for path in [site / "index.html", *site.glob("site/*.js"), *site.glob("assets/[lt]*/*.js")]:
        for name in named.findall(path.read_text()):
            assert (path.parent / name).exists(), f"{path.name} names {name}"
            found += 1
    assert found > 50
    assert (site / "assets/vendor/uplot/LICENSE").exists()


def test_the_site_declares_what_the_lab_does(site):
    declared = json.loads((site / "site/declared.json").read_text())
    for name, method in declared["methods"].items():
        assert RunSpec.parse(method["spec"]) == RunSpec.parse({"dataset": "toy", "method": name})
    assert declared["options"]["alpha"]["high"] == 5
    assert declared["options"]["alpha"]["extra"]["slider"] == [0, 3, 0.01]
    assert len(declared["sigmas"]) == len(declared["palette"]) == 10
    assert tuple(declared["sigmas"]) == RunSpec.parse({"dataset": "toy", "tasks": 10}).dataset.sigmas
    assert "light-dark(#FFFFFF, #10161C)" in (site / "site/theme.css").read_text()


def test_the_site_has_its_words_in_each_language(site):
    declared = json.loads((site / "site/declared.json").read_text())
    assert declared["languages"] == ["en", "de"]
    german = json.loads((site / "assets/words/de.json").read_text())
    page = " ".join((site / "index.html").read_text().split())
    texts = re.findall(r"<(\w+)[^>]* data-t> ?(.*?) ?</\1>", page)
    assert len(texts) > 4
    titles = [each["title"] for part in ("methods", "options") for each in declared[part].values()]
    assert {text for _, text in texts} | set(titles) <= german.keys()
    assert german["Equal weights"] == "Gleiche Gewichte"
    assert declared["options"]["sigmas"]["help"] in german


def test_a_site_is_written_anew_and_other_files_are_left_alone(site, tmp_path):
    (site / "site/old.js").touch()
    assert build(site).returncode == 0
    assert not (site / "site/old.js").exists()
    (tmp_path / "thesis.tex").touch()
    refused = build(tmp_path)
    assert refused.returncode == 1
    assert "should be empty, or hold a site. Found other files" in refused.stderr
    assert (tmp_path / "thesis.tex").exists()

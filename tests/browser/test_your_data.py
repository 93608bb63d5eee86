"""Your data, as somebody with a file and no manual does it: upload, choose, start, watch, download."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.browser.playground import PATIENCE, Playground
from tests.browser.test_looks import SIZES, check

SETTINGS = "batch_size=8&width=16&depth=1&eval_every=20&device=cpu&steps=60"


@pytest.fixture(scope="module")
def houses(tmp_path_factory) -> Path:
    """A table such as people have, with gaps."""
    random = np.random.default_rng(0)
    size = random.uniform(30, 200, 400)
    table = pd.DataFrame(
        {
            "id": np.arange(1, 401),
            "size": size,
            "built": random.integers(1900, 2024, 400),
            "town": random.choice(["Ulm", "Bonn", "Kiel"], 400),
            "price": np.round(3000 * size + random.normal(0, 20_000, 400), 2),
            "kind": np.where(size + random.normal(0, 20, 400) > 100, "house", "flat"),
        }
    )
    table.loc[:36, "size"] = np.nan
    path = tmp_path_factory.mktemp("mine") / "my houses.csv"
    table.to_csv(path, index=False)
    return path


def opened(page: Page, url: str) -> Playground:
    page.goto(url)
    tab = Playground(page)
    expect(page.get_by_test_id("stFileUploader")).to_be_visible(timeout=PATIENCE)
    tab.wait_until_idle()
    return tab


def pick(tab: Playground, label: str, *names: str) -> None:
    """Choose from a list that takes several."""
    box = tab.page.get_by_test_id("stMultiSelect").filter(has=tab.page.get_by_text(label, exact=True))
    # The list closes when the page scrolls, so that it scrolls before the click, not because of it.
    box.scroll_into_view_if_needed()
    tab.page.wait_for_timeout(200)
    for name in names:
        box.get_by_role("combobox").click()
        tab.page.get_by_role("option", name=name, exact=True).click()
        tab.settle()
    tab.page.keyboard.press("Escape")


def upload(tab: Playground, file: Path) -> None:
    tab.page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(file)
    expect(tab.page.get_by_test_id("stDataFrame")).to_be_visible(timeout=PATIENCE)
    tab.settle()


def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("BROWSER_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_file_becomes_a_race_becomes_a_download(server, open_page, houses):
    tab = opened(open_page.page(), f"{server.url}/your_data?{SETTINGS}")
    page = tab.page
    upload(tab, houses)
    pick(tab, "Targets", "price", "kind")
    expect(page.get_by_text("37 of 400 rows were left out since a value is missing: size (37).")).to_be_visible()
    tab.wait_for_query(r"targets=price%3Anumber%2Ckind%3Aclass")
    page.get_by_test_id("stExpander").filter(has_text="Contenders").locator("summary").click()
    page.wait_for_timeout(500)  # until the expander stands still
    tab.press("Start race")
    tab.wait_until_drawn()
    tab.wait_for_query("run=")
    tab.wait_for_state("finished")
    family = server.store.family(tab.run)
    assert [info.tasks for info in family] == [("price", "kind")] * 3
    expect(page.get_by_test_id("contender-2")).to_contain_text("finished", timeout=PATIENCE)
    expect(page.get_by_test_id("task-table")).to_contain_text("kind")
    expect(page.get_by_text("my-houses.csv")).to_be_visible()
    shot(page, "your-data-playground")

    page.get_by_test_id("stTopNavLink").filter(has_text="Runs").click()
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible(timeout=PATIENCE)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 20, box["y"] + 52)
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("link", name="CSV", exact=True).click(timeout=PATIENCE)
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["step"] for row in rows] == [str(step) for step in range(61)]
    assert any("price" in column for column in rows[0])


@pytest.mark.parametrize(
    ("size", "scheme"), [("desk", "light"), ("phone", "dark"), ("desk", "dark"), ("phone", "light")]
)
def test_the_page_can_be_seen_and_read(server, open_page, houses, size, scheme):
    tab = opened(open_page.page(viewport=SIZES[size], color_scheme=scheme), f"{server.url}/your_data")
    check(tab.page)
    shot(tab.page, f"your-data-{size}-{scheme}-empty")
    upload(tab, houses)
    pick(tab, "Targets", "price", "kind")
    tab.page.keyboard.press("Tab")
    expect(tab.button("Start run")).to_be_visible(timeout=PATIENCE)
    check(tab.page)
    shot(tab.page, f"your-data-{size}-{scheme}")
    tab.page.get_by_test_id("stExpander").filter(has_text="Units").locator("summary").click()
    tab.page.get_by_test_id("stExpander").filter(has_text="Contenders").locator("summary").click()
    tab.page.wait_for_timeout(800)
    tab.button("Start race").scroll_into_view_if_needed()
    shot(tab.page, f"your-data-{size}-{scheme}-below")
    check(tab.page)


def test_a_wrong_file_is_one_sentence(server, open_page, tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_bytes(b"PK\x03\x04 an Excel workbook")
    tab = opened(open_page.page(), f"{server.url}/your_data")
    tab.page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(wrong)
    tab.says(re.escape("wrong.csv should be a text file. Found an Excel workbook"))

"""The pages as a visitor with a German browser sees them, and the list of languages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.playground import PATIENCE, SMALL

pytestmark = pytest.mark.slow

# Each page with its name in the navigation, and something that comes last on it.
PAGES = {
    "": ("Playground", "Rennen starten"),
    "lesson": ("Lektion", "Abspielen"),
    "your_data": ("Ihre Daten", "Vorlage"),
    "gallery": ("Galerie", "Noch kein Lauf auf Bildern"),
    "studies": ("Studien", "Studie starten"),
    "runs": ("Läufe", "Noch keine Läufe"),
    "compare": ("Vergleich", "Wählen Sie Läufe"),
}
ENGLISH = re.compile(r"\b(the|and|with|of|is|are|a|to|from|choose|your|runs|steps|weights|settings)\b", re.IGNORECASE)

# Streamlit's own.
FOREIGN = {"Skip to main content", "No options to select", "Choose an option"}

# What can be read on the page, but for program code and Streamlit's own uploader.
_TEXTS = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const at = node.parentElement;
    const foreign = "code, script, style, .katex, .gn-live, [data-testid=stFileUploaderDropzone], "
      + "[data-testid=stIconMaterial], [data-testid=stExpanderIcon]";
    if (node.textContent.trim() && !at.closest(foreign) && at.checkVisibility()) found.push(node.textContent.trim());
  }
  for (const field of document.querySelectorAll("input[placeholder]")) found.push(field.placeholder);
  return found;
}"""


def german(page):
    """Return the texts of a page in which there is an English word."""
    return [text for text in page.evaluate(_TEXTS) if ENGLISH.search(text) and text not in FOREIGN]


def test_every_page_is_german_for_a_german_browser(fresh_server, open_page):
    page = open_page.page(locale="de-DE")
    for address, (name, last) in PAGES.items():
        page.goto(f"{fresh_server.url}/{address}")
        expect(page.get_by_test_id("stMain").get_by_text(last).first).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_test_id("stTopNavLink").filter(has_text=name)).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", "de", timeout=PATIENCE)
        assert german(page) == [], address


def test_the_live_panel_speaks_the_language_of_its_page(fresh_server, open_page):
    page = open_page.page(locale="de-DE")
    page.goto(fresh_server.url)
    panel = page.get_by_test_id("live-panel")
    expect(panel).to_contain_text("wie stark der Verlust jedes Tasks zählt; geglättet", timeout=PATIENCE)
    expect(panel.locator(".gn-smoothing output")).to_have_text("0,70")
    expect(panel).to_contain_text("Schritt 800", timeout=PATIENCE)
    expect(panel.get_by_test_id("contender-1")).to_contain_text("Gleiche Gewichte")
    expect(panel.get_by_test_id("legend-0")).to_have_text("Task 1")
    assert "task 1" not in panel.inner_text()
    # Keys of contenders are letters.
    said = [text for text in panel.locator("p, h3, button, caption, .gn-note").all_inner_texts() if text != "A"]
    assert [text for text in said if re.search(r"\b(the|and|with|of|step|task-normalised|show)\b", text)] == []
    page.locator(".st-key-languages").get_by_role("combobox").click()
    page.get_by_role("option", name="English").click()
    expect(panel).to_contain_text("how strongly each task’s loss counts; smoothed", timeout=PATIENCE)
    expect(panel).to_have_count(1)
    expect(panel.locator(".gn-smoothing output")).to_have_text("0.70")


def test_how_a_run_ended_is_said_in_the_language_of_the_page(fresh_server, open_page):
    page = open_page.page(locale="de-DE")
    page.goto(f"{fresh_server.url}/?preset=toy-2&steps=20&{SMALL}")
    page.get_by_role("button", name="Start", exact=True).click()
    panel = page.get_by_test_id("live-panel")
    expect(panel).to_contain_text("Alle 20 Schritte getan.", timeout=PATIENCE)
    expect(panel.locator(".gn-run-title")).to_have_text("toy-2 · GradNorm α 0,12 · Seed 0")
    expect(page.locator(".st-key-verdict")).to_contain_text("Task 1")


def test_what_is_chosen_is_kept(fresh_server, open_page):
    page = open_page.page(locale="de-DE")
    heading = page.get_by_test_id("stHeading").first
    page.goto(f"{fresh_server.url}/compare")
    expect(heading).to_have_text("Vergleich", timeout=PATIENCE)
    page.locator(".st-key-languages").get_by_role("combobox").click()
    page.get_by_role("option", name="English").click()
    expect(heading).to_have_text("Compare", timeout=PATIENCE)
    expect(page.locator("html")).to_have_attribute("lang", "en", timeout=PATIENCE)
    page.reload()
    expect(heading).to_have_text("Compare", timeout=PATIENCE)
    # The address wins, and is kept as well.
    page.goto(f"{fresh_server.url}/compare?lang=de")
    expect(heading).to_have_text("Vergleich", timeout=PATIENCE)
    expect(page.locator("html")).to_have_attribute("lang", "de", timeout=PATIENCE)
    page.goto(f"{fresh_server.url}/runs")
    expect(heading).to_have_text("Läufe", timeout=PATIENCE)

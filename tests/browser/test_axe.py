"""No rule of WCAG 2.1 A or AA that axe-core can check is broken on any page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.playground import PATIENCE
from tests.browser.test_looks import SIZES
from tests.browser.test_race import race
from tests.factories import ROOT, wait_for

_AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
# What is wrong: the rule, then each element with what was found.
_VIOLATIONS = """async () => {
  const { violations } = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`));
}"""
_LOOKS = [
    pytest.param("desk", "light"),
    pytest.param("phone", "dark"),
    pytest.param("desk", "dark", marks=pytest.mark.long),
    pytest.param("phone", "light", marks=pytest.mark.long),
]


def violations(page: Page) -> list[str]:
    """Return what is wrong with a page: the rule, then the element."""
    page.evaluate(_AXE)
    return page.evaluate(_VIOLATIONS)


@pytest.mark.parametrize(("size", "scheme"), _LOOKS)
def test_no_page_breaks_a_rule(server, open_page, size, scheme):
    runs = race(server.store, "equal,gradnorm", steps=60)
    wait_for(lambda: all(server.store.info(run).ended for run in runs), PATIENCE / 1000)
    page = open_page.page(viewport=SIZES[size], color_scheme=scheme, bypass_csp=True)
    addresses = {
        "/": "live-panel",
        f"/?run={runs[1]}": "live-panel",
        "/lesson?step=alpha": "stPlotlyChart",
        "/your_data": "stMain",
        f"/gallery?run={runs[1]}": "stMain",
        "/studies": "stMain",
        "/runs": "stDataFrame",
        f"/compare?runs={','.join(runs)}": "stPlotlyChart",
        f"/watch/{runs[1]}": "live-panel",
    }
    found = {}
    for address, shown in addresses.items():
        page.goto(server.url + address)
        expect(page.get_by_test_id(shown).first).to_be_visible(timeout=PATIENCE)
        if not address.startswith("/watch"):
            idle = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
            expect(idle).to_have_count(1, timeout=PATIENCE)
            page.wait_for_timeout(1000)  # what is drawn anew is faint for a moment
        if wrong := violations(page):
            found[address] = wrong
    assert found == {}

"""The page of the control listener, in a real browser."""

import os

import pytest

from gateway import NOVA
from test_cli import admin_key

pytestmark = pytest.mark.browser


def sign_in(browser, gateway):
    """Opens the page with the local admin key, by the form that asks for it."""
    from selenium.webdriver.common.by import By

    browser.get(gateway.control)
    browser.delete_all_cookies()
    browser.get(gateway.control)
    field = browser.find_element(By.CSS_SELECTOR, "input[type=password]")
    field.send_keys(admin_key(gateway))
    field.submit()


def test_the_page_asks_for_the_admin_key(simulated, browser):
    browser.get(simulated.control)
    assert NOVA not in browser.page_source


def test_the_page_shows_calls_spend_latency_and_refusals(simulated, browser):
    client = simulated.client()
    for _ in range(3):
        client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": "hello"}]}])
    simulated.raw("POST", "/model/x/converse", b"{}")
    sign_in(browser, simulated)
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 10).until(lambda b: NOVA in b.page_source)
    text = browser.find_element("tag name", "body").text
    for word in (NOVA, "BP1001", "p99"):
        assert word in text, f"`{word}` is not on the page:\n{text[:3000]}"
    if folder := os.environ.get("BEDPLATE_SCREENSHOTS"):
        browser.save_screenshot(os.path.join(folder, "console.png"))
    problems = [e for e in browser.get_log("browser") if e["level"] == "SEVERE" and "favicon" not in e["message"]]
    assert problems == []


def test_the_page_shows_budgets_with_bars(simulated, browser):
    simulated.cli("budget", "create", "on-the-page", "--limit", "3 USD", "--key", "*")
    try:
        sign_in(browser, simulated)
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        client = simulated.client()
        told = lambda b: client.converse(  # noqa: E731
            modelId=NOVA, messages=[{"role": "user", "content": [{"text": "hello"}]}]) and "on-the-page · key=key_" in b.page_source
        WebDriverWait(browser, 20).until(told)

        def looked_at(b):
            (row,) = [r for r in b.find_elements("css selector", ".purses tbody tr") if "on-the-page" in r.text]
            for word in ("each key · $3.00 a month · hard", "%", "$3.00", "in "):
                assert word in row.text, row.text
            bar = row.find_element("css selector", "svg.bar")
            assert bar.size["width"] > 100 and "of the limit is spent" in bar.get_attribute("aria-label")
            return bar.find_element("css selector", "rect.held").size["width"] >= 0

        # the page draws itself anew meanwhile
        WebDriverWait(browser, 20, ignored_exceptions=[StaleElementReferenceException]).until(looked_at)
        if folder := os.environ.get("BEDPLATE_SCREENSHOTS"):
            browser.save_screenshot(os.path.join(folder, "budgets.png"))
    finally:
        simulated.cli("budget", "remove", "on-the-page")


def test_the_page_loads_nothing_from_elsewhere(simulated, browser):
    sign_in(browser, simulated)
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [u for u in loaded if not u.startswith(simulated.control)] == []


def test_the_page_sets_no_script_free_for_all(simulated):
    _, headers, _ = simulated.get_control("/")
    policy = headers.get("content-security-policy", "")
    assert "default-src" in policy and "unsafe-eval" not in policy
    assert headers.get("x-content-type-options") == "nosniff"

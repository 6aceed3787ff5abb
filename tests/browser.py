"""A real headless Chromium for tests of pages, where there is one with its chromedriver."""

import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--autoplay-policy=no-user-gesture-required")
# Words that stand in more than one line, of all that is seen: [the word, the element's tag].
BROKEN_WORDS = """
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode, range = document.createRange();
        if (/^(script|style|noscript|option)$/i.test(node.parentElement.tagName)) continue;
        for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].filter(box => box.width).map(box => Math.round(box.top)));
            if (lines.size > 1) found.push([word[0], node.parentElement.tagName]);
        }
    }
    return found;
"""


def start(profile):
    """Return a headless Chromium with its profile in a folder, or skip the test."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (./install.sh --dev)")
    chromium, driver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium with chromedriver here (on Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    window.set_script_timeout(60)
    return window


def resize(window, width, scheme="light", height=900):
    """Let a window have a size in points and a colour scheme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait(window, condition, seconds=60):
    """Wait until a condition in JavaScript holds, and return its value."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(window, seconds, poll_frequency=0.05).until(
        lambda window: window.execute_script(f"return {condition}"), condition)


def press(window, key):
    """Press a key."""
    from selenium.webdriver import ActionChains

    ActionChains(window).send_keys(key).perform()


def violations(window):
    """Return what axe-core finds that keeps people out: [(rule, element)]. Skips where it is not installed."""
    axe = pytest.importorskip("axe_core_python.selenium", reason="axe-core-python is not installed")
    found = axe.Axe().run(window, options={"resultTypes": ["violations"]})
    return [(rule["id"], node["html"][:120]) for rule in found["violations"] for node in rule["nodes"]]

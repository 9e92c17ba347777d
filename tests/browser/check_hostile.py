"""Renders a report whose results hold markup of others, and opens it in headless Chromium: nothing runs, nothing is loaded.

    check_hostile.py CHROMIUM GAL_BENCH REPORT
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

MARKUP = """x <script>window.ran = 1</script> <img src="https://example.invalid/a.png" onerror="window.ran = 2">
<svg onload="window.ran = 3"></svg> <iframe src="https://example.invalid/"></iframe> <style>@import "https://example.invalid/s";</style>
[link](javascript:window.ran=4) ![image](https://example.invalid/b.png) <a href="javascript:window.ran=5">a</a>
```

<script>window.ran = 6</script>
"""
TEXTS = ["split", "extent", "data_digest", "device", "version", "commit", "command"]
LISTS = ["data_notes", "cpu_features", "deviations"]


def hostile(report, folder):
    """A copy of a report with MARKUP in every free text."""
    shutil.copytree(Path(report) / "results", folder / "results")
    path = folder / "results" / "results.json"
    results = json.loads(path.read_text())
    for run in results["runs"]:
        run |= {name: MARKUP for name in TEXTS} | {name: [MARKUP] for name in LISTS}
    path.write_text(json.dumps(results))


def main(chromium, program, report):
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place) / "reports" / "hostile"
        hostile(report, folder)
        subprocess.run([program, "report", "--quiet", "--reports", folder.parent], check=True)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        requests, dialogs = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        url = (folder / "index.html").as_uri()
        page.goto(url)
        page.wait_for_load_state("networkidle")
        for link in page.locator("a[href]").all():
            target = link.get_attribute("href")
            assert target.startswith("#") or target.startswith("results"), target
        assert page.locator("script").count() == 1, "the page's own script"
        assert page.locator("img, iframe, object, embed, link, form, [onload], [onerror], [onclick]").count() == 0
        # The page's own script does run: it makes tables sortable.
        assert page.locator("thead button").count() > 0
        # A script that gets into the page all the same is stopped by its policy.
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 7' }))")
        assert page.evaluate("window.ran") is None, page.evaluate("window.ran")
        assert requests == [url] and dialogs == [], (requests, dialogs)
        assert "<script>window.ran = 1</script>" in page.locator("body").inner_text(), "markup is shown as text"
        browser.close()
    print("a hostile report: opened, nothing ran, nothing was loaded")


main(*sys.argv[1:])

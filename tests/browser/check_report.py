"""Opens every index.html below the given folders in headless Chromium and checks it against the README.md beside it.

    check_report.py CHROMIUM SCREENSHOTS FOLDER...
"""

import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from playwright.sync_api import sync_playwright

# Text of a table: head, sortable rows and foot, as lists of cells.
TABLE = """(table) => {
  const rows = (part) => part ? [...part.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim())) : [];
  return { head: rows(table.tHead)[0], body: rows(table.tBodies[0]), foot: rows(table.tFoot) };
}"""
TABLES = f"() => [...document.querySelectorAll('table')].map({TABLE})"

# The filter of each table that shows no row, or every row, after the first row's name is entered in capitals.
FILTERS = """() => [...document.querySelectorAll(".tools input[type=search]")].map((filter) => {
  const rows = [...filter.closest(".tools").nextElementSibling.querySelectorAll("tbody tr")];
  const enter = (text) => { filter.value = text; filter.dispatchEvent(new Event("input", { bubbles: true })); };
  const name = rows[0].querySelector("th").innerText;
  enter(name.toUpperCase());
  const shown = rows.filter((row) => row.checkVisibility()).length;
  enter("");
  return { name, shown, rows: rows.length };
}).filter(({ shown, rows }) => shown === 0 || shown === rows)"""

# Pairs of texts in a figure that lie on each other. A text's box is higher than its letters.
OVERLAPS = """() => [...document.querySelectorAll("figure > svg")].flatMap((svg) => {
  const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
  const boxes = texts.map((text) => {
    const box = text.getBoundingClientRect();
    const upright = box.width < box.height;
    const [x, y] = upright ? [0.2 * box.width, 0] : [0, 0.2 * box.height];
    return { text: text.textContent, left: box.left + x, right: box.right - x, top: box.top + y, bottom: box.bottom - y };
  });
  const lie = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5;
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => lie(a, b)).map((b) => `${a.text} | ${b.text}`));
})"""

# The column choice of each table that does not hide and show its column.
COLUMNS = """() => [...document.querySelectorAll(".tools details")].filter((choice) => choice.checkVisibility()).filter((choice) => {
  const heads = choice.closest(".tools").nextElementSibling.querySelectorAll("thead th");
  const box = choice.querySelector("input");
  box.click();
  const hides = !heads[1].checkVisibility() && heads[2].checkVisibility();
  box.click();
  return !hides || !heads[1].checkVisibility();
}).map((choice) => choice.textContent)"""


def markdown_tables(text):
    """Tables of a Markdown text as lists of rows, head first."""
    tables, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            rows.append([re.sub(r"\\\||`|\*\*", lambda m: "|" if m[0] == "\\|" else "", cell) for cell in cells])
        elif rows:
            tables.append([rows[0], *rows[2:]])
            rows = []
    return tables


def number(cell):
    found = re.match(r"[+-]?[\d,]*\.?\d+", cell)
    return float(found[0].replace(",", "")) if found else None


def check(page, path, name, screenshots, width):
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")

    # The content equals the Markdown.
    markdown = path.with_name("README.md").read_text()
    tables = page.evaluate(TABLES)
    expected = markdown_tables(markdown)
    # A page of several reports has one table, which links to theirs.
    together = path.parent.name.startswith("together-")
    assert len(tables) == len(expected), f"{len(tables)} tables, README.md has {len(expected)}"
    assert len(tables) == 1 if together else len(tables) > 3
    for table, rows in zip(tables, expected):
        assert [table["head"], *table["body"], *table["foot"]] == rows, rows[0]
    figures = re.findall(r"^!\[.*\]\((.+)\)$", markdown, re.MULTILINE)
    assert page.locator("figure > svg").count() == len(figures) > 0
    anchors = re.findall(r"\]\(#(.+?)\)", markdown)
    for anchor in anchors:
        assert page.locator(f"[id='{anchor}']").count() == 1, anchor

    # A laptop's first screen holds answer, figure and table.
    if width >= 1280 and not together and "](difference-from-baseline.svg)" in markdown:
        for part in (page.locator("main > figure").first, page.locator("main > .table").first):
            box = part.bounding_box()
            assert box["y"] + box["height"] <= 720, ("below the first screen", box)

    # Folds open by a click, and all must be open for what follows.
    folds = page.locator("main details:has(> .table), main details:has(> pre)")
    for place in range(folds.count()):
        folds.nth(place).locator("> summary").click()
    assert page.evaluate("[...document.querySelectorAll('main > details')].every((fold) => fold.open)")

    # Every column of the longest table, by mouse and then by keyboard.
    place = max(range(len(tables)), key=lambda i: len(tables[i]["body"]))
    table = page.locator("table").nth(place)
    for column, heading in enumerate(tables[place]["head"]):
        button = table.locator("thead button").nth(column)
        for direction in ("ascending", "descending"):
            if direction == "ascending":
                button.click()
            else:
                button.focus()
                page.keyboard.press("Enter")
            assert table.locator("thead th").nth(column).get_attribute("aria-sort") == direction, heading
            assert table.locator("thead th[aria-sort]").count() == 1
            now = table.evaluate(TABLE)
            assert sorted(now["body"]) == sorted(tables[place]["body"]), "sorting keeps the rows"
            assert now["foot"] == tables[place]["foot"], "the foot stays"
            cells = [row[column] for row in now["body"] if row[column] not in ("", "-")]
            numbers = [number(cell) for cell in cells]
            keys = [cell.lower() for cell in cells] if None in numbers or column == 0 else numbers
            if column == 0:
                assert cells[0].lower() in (min(keys), max(keys)), heading
            else:
                assert keys == sorted(keys, reverse=direction == "descending"), (heading, cells)
    assert tables[place]["body"] != table.evaluate(TABLE)["body"], "something was sorted"

    # A filter hides rows without its words, and a box hides its column.
    assert page.locator(".tools").count() > 0
    filters = page.locator(".tools:has(input[type=search]:visible)")
    if filters.count():
        filter_box = filters.first.locator("input[type=search]")
        rows = filters.first.locator("xpath=following-sibling::*[1]//tbody/tr")
        filter_box.fill("no such row")
        assert rows.locator("visible=true").count() == 0
        filter_box.fill("")
        assert rows.locator("visible=true").count() == rows.count()
        assert page.evaluate(FILTERS) == []
    columns = page.locator(".tools details:visible").first
    if columns.count():
        frame = columns.locator("xpath=ancestor::*[contains(@class, 'tools')]/following-sibling::*[1]")
        columns.locator("summary").click()
        box = columns.locator("input").first
        box.uncheck()
        assert frame.locator("thead th").nth(1).is_hidden() and frame.locator("thead th").nth(2).is_visible()
        box.check()
        assert frame.locator("thead th").nth(1).is_visible()
        columns.locator("summary").click()
        assert page.evaluate(COLUMNS) == []

    assert page.evaluate(OVERLAPS) == [], "texts of a figure overlap"
    # Only scrolling elements may be wider than the page.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=screenshots / f"{name}-{scheme}-{width}.png", full_page=scheme == "light" and width >= 1280)
    # Printed pages have light colours on any screen, and no table wider than the sheet.
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 990})
    page.screenshot(path=screenshots / f"{name}-print-{width}.png")
    assert page.locator("nav").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('figure .gf')).fill") == "rgb(255, 255, 255)"
    wide = "[...document.querySelectorAll('table')].filter((t) => t.offsetWidth > t.parentElement.clientWidth).length"
    assert page.evaluate(wide) == 0, "tables are cut off on paper"

    assert complaints == [], complaints
    assert requests == [path.as_uri()], requests


def check_page(chromium, screenshots, place, path):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (1280, 400):
            page = browser.new_page(viewport={"width": width, "height": 900})
            check(page, path, f"{place}-{path.parent.name}", Path(screenshots), width)
            page.close()
        browser.close()


def main(chromium, screenshots, *folders):
    pages = sorted(page for folder in folders for page in Path(folder).resolve().rglob("index.html"))
    if not pages:
        sys.exit(f"no index.html below {', '.join(folders)}: run `gal-bench report` first")
    with ProcessPoolExecutor() as pool:
        checked = [pool.submit(check_page, chromium, screenshots, place, path) for place, path in enumerate(pages)]
        for path, page in zip(pages, checked):
            page.result()
            print(f"{path}: opened, sorted, nothing loaded")


if __name__ == "__main__":
    main(*sys.argv[1:])

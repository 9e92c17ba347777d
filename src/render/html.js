"use strict";
// Makes every table sortable: a button in each head cell, by mouse and keyboard. Rows of sums, in the foot, stay there. Long
// tables get a filter of their rows, and wide ones a choice of columns.
const LONG = 12;
const WIDE = 6;
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  if (!body || body.rows.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  // The first number of a cell: "91.14 ± 0.12", "+0.70", "1,000", "66 px"; none in "-".
  const number = (text) => {
    const found = /^[≥≤]?\s*([+-]?[\d,]*\.?\d+)/.exec(text);
    return found ? Number(found[1].replaceAll(",", "")) : NaN;
  };
  const tools = document.createElement("div");
  tools.className = "tools";
  if (body.rows.length > LONG) {
    const filter = document.createElement("input");
    filter.type = "search";
    filter.placeholder = "Filter rows";
    filter.setAttribute("aria-label", "Filter rows");
    filter.addEventListener("input", () => {
      const wanted = filter.value.toLowerCase();
      for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    tools.append(filter);
  }
  if (heads.length > WIDE) {
    const choice = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = "Columns";
    choice.append(summary);
    // The first column names the rows.
    heads.slice(1).forEach((head, place) => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => {
        for (const row of table.rows) row.cells[place + 1].hidden = !box.checked;
      });
      const label = document.createElement("label");
      label.append(box, " ", head.textContent);
      choice.append(label);
    });
    tools.append(choice);
  }
  if (tools.childElementCount > 0) table.parentElement.before(tools);
  heads.forEach((head, column) => {
    const text = (row) => row.cells[column].textContent.trim();
    const missing = (value) => value === "" || value === "-";
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...body.rows];
      const numeric = rows.every((row) => missing(text(row)) || !Number.isNaN(number(text(row))));
      const order = (a, b) => numeric ? number(a) - number(b) : a.localeCompare(b, "en", { sensitivity: "base" });
      rows.sort((one, other) => {
        const [a, b] = [text(one), text(other)];
        // What is missing comes last in either direction.
        return missing(a) - missing(b) || (missing(a) ? 0 : sign * order(a, b));
      });
      body.append(...rows);
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    });
  });
}
// Paper shows what is folded on a screen.
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("main > details")) fold.open = true;
});

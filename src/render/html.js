"use strict";
// Makes every table sortable: a button in each head cell, by mouse and keyboard. Rows of sums, in the foot, stay there.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  if (!body || body.rows.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  // The first number of a cell: "91.14 ± 0.12", "+0.70", "1,000", "66 px"; none in "-".
  const number = (text) => {
    const found = /^[≥≤]?\s*([+-]?[\d,]*\.?\d+)/.exec(text);
    return found ? Number(found[1].replaceAll(",", "")) : NaN;
  };
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

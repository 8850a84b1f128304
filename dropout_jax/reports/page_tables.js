// Tables: headings become buttons that sort, one is filtered by words.
(() => {
  const NOTHING = "\u2013";

  function value(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.value) return Number(cell.dataset.value);
    const text = cell.firstChild?.textContent.trim() ?? "";
    if (text === NOTHING || text === "") return null;
    const number = Number(text.replace("\u2212", "-").replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  }

  function before(a, b) {
    const numbers = typeof a === "number" && typeof b === "number";
    return numbers ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sort(table, column, heading) {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [value(row, column), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return up ? before(a, b) : before(b, a);
    });
    body.append(...keyed.map(([, row]) => row));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if ("fixed" in heading.dataset) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, column, heading));
      heading.append(button);
    });
  }

  const filter = document.getElementById("filter");
  if (!filter) return;
  filter.parentNode.hidden = false;
  const kind = filter.dataset.rows; // class of the table, and what its rows are
  const rows = [...document.querySelector(`table.${kind}`).tBodies[0].rows];
  const found = document.getElementById("found");
  found.textContent = `${rows.length} ${kind}`;
  let texts = null;

  // A space before every word: "0.5" is not to be found in 90.52.
  function words(row) {
    const text = [...row.cells].map((cell) => ` ${cell.textContent}`).join("");
    return text.replaceAll(/\s+/g, " ").toLowerCase();
  }

  filter.addEventListener("input", () => {
    texts ??= rows.map(words);
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, place) => {
      row.hidden = !wanted.every((word) => texts[place].includes(` ${word}`));
      count += !row.hidden;
    });
    found.textContent = `${count} of ${rows.length} ${kind}`;
  });
})();

"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const items = all("[data-status]");
  const search = document.querySelector("#search");
  let wanted = "ALL";

  const filter = () => {
    const text = search.value.trim().toLowerCase();
    let rows = 0;
    for (const item of items) {
      const kind = wanted === "ALL" || item.dataset.status === wanted || (wanted === "DISAGREED" && "disagreed" in item.dataset);
      const shown = kind && item.dataset.text.includes(text);
      item.classList.toggle("hidden", !shown);
      rows += shown && item.tagName === "TR";
    }
    document.querySelector("#shown").textContent = `${rows} shown`;
  };

  for (const button of all("[data-filter]")) {
    button.addEventListener("click", () => {
      wanted = button.dataset.filter;
      all("[data-filter]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      filter();
    });
  }
  search.addEventListener("input", filter);

  const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");  // what is not known comes last
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
  };
  for (const button of all("th button")) {
    button.addEventListener("click", () => {
      const head = button.parentElement, table = head.closest("table"), body = table.tBodies[0];
      const up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.classList.contains("n"));
      all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [value(row, head.cellIndex), row]);
      rows.sort((a, b) => (a[0] === "" || b[0] === "" ? compare(a[0], b[0]) : (up ? 1 : -1) * compare(a[0], b[0])));
      body.append(...rows.map((pair) => pair[1]));
    });
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const field = document.createElement("textarea");
    field.value = button.dataset.copy;
    document.body.append(field);
    field.select();
    document.execCommand("copy");  // the clipboard API asks for https, which a file on disk is not
    field.remove();
    button.textContent = "copied";
  });
})();

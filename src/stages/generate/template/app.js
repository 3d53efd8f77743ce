// Sorting and filtering of the tables below. Without this script they are complete, only still.
(() => {
  "use strict";

  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const number = (text) => parseFloat(text.replace(",", "."));

  // Empty cells come last in either direction.
  const compare = (a, b, numeric, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    return sign * (numeric ? number(a) - number(b) : collator.compare(a, b));
  };

  const sortable = (table) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      button.disabled = false;
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const numeric = head.classList.contains("num");
        const rows = [...body.rows].map((row) => [row.cells[column].textContent.trim(), row]);
        rows.sort((a, b) => compare(a[0], b[0], numeric, ascending ? 1 : -1));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  };

  const filterable = (input) => {
    const body = document.getElementById(input.dataset.filter).tBodies[0];
    const output = input.parentElement.querySelector("output");
    const texts = new Map([...body.rows].map((row) => [row, row.textContent.toLowerCase()]));
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of texts) {
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown += 1;
      }
      output.textContent = words.length ? `${shown} of ${texts.size} rows` : "";
    });
    input.parentElement.hidden = false;
  };

  document.querySelectorAll("table.data").forEach(sortable);
  document.querySelectorAll("input[data-filter]").forEach(filterable);
})();

// What the book's pages do beyond the theme. Classic scripts alone, loaded where they are wanted: a page that is opened
// as a file may load no modules and fetch no data. Without JavaScript tables are plain and figures are images.
(() => {
  "use strict";
  const ROOT = new URL("..", document.currentScript.src);
  const LONG = 12; // rows
  const loaded = {};

  function load(path) {
    loaded[path] ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = new URL(path, ROOT).href;
      script.onload = done;
      script.onerror = () => failed(new Error(`${path} is not part of this book`));
      document.head.append(script);
    });
    return loaded[path];
  }

  // Tables ------------------------------------------------------------------------------------------------------------

  // The number that a cell begins with, as −0.012 or 1,234; null for other text, −∞ for no value.
  function number(text) {
    const plain = text.trim().replace(/[−–](?=[\d.])/g, "-").replace(/(\d),(?=\d{3}\b)/g, "$1");
    if (["", "–", "-", "nan", "NaN", "None"].includes(plain)) return -1e300;
    const found = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(?![\d-]*-\d)/i.exec(plain);
    return found ? Number(found[0]) : null;
  }

  // Columns of numbers sort as such, with minus signs, units and intervals in them; dates sort as text.
  function mark(table) {
    for (let column = 0; column < table.tBodies[0].rows[0].cells.length; column++) {
      const cells = [...table.tBodies[0].rows].map((row) => row.cells[column]);
      const numbers = cells.map((cell) => number(cell.textContent));
      if (numbers.some((one) => one !== null && one > -1e300) && numbers.every((one) => one !== null))
        cells.forEach((cell, i) => (cell.dataset.order = numbers[i]));
    }
  }

  function isGrid(table) {
    const rows = [...table.tBodies[0].rows];
    return rows.every((row) => row.cells.length === rows[0].cells.length) && !table.tBodies[0].querySelector("[rowspan],[colspan]");
  }

  function filters(table, api) {
    const row = document.createElement("div");
    row.className = "table-filters";
    api.columns().every(function () {
      const head = this.header();
      if (!head || !("filter" in head.dataset)) return;
      const label = document.createElement("label");
      const choice = document.createElement("select");
      const values = [...new Set(this.nodes().toArray().map((cell) => cell.textContent.trim()))].sort();
      choice.append(new Option("all", ""), ...values.map((value) => new Option(value)));
      choice.addEventListener("change", () => {
        const wanted = choice.value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
        this.search(wanted && `^\\s*${wanted}\\s*$`, { regex: true, smart: false }).draw();
      });
      label.append(`${head.textContent.trim()} `, choice);
      row.append(label);
    });
    if (row.children.length) table.closest(".dt-container").prepend(row);
  }

  function enhance(table, count) {
    mark(table);
    const words = { search: "Search this table: ", zeroRecords: "No row has this." };
    const api = new DataTable(table, {
      paging: false, info: false, order: [], autoWidth: false, language: words,
      layout: { topStart: "search", topEnd: null, bottomStart: null, bottomEnd: null },
    });
    const box = document.createElement("div");
    box.className = "long-table";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `Table ${count}, which scrolls`);
    table.replaceWith(box);
    box.append(table);
    // DataTables leaves a mark on events (delegateTarget) that the theme's copy buttons would take for their own.
    box.addEventListener("click", (event) => event.stopPropagation());
    filters(table, api);
  }

  async function tables() {
    const all = [...document.querySelectorAll("article table")].filter((table) => table.tBodies.length && table.tHead);
    const long = all.filter((table) => table.id === "claims" || table.tBodies[0].rows.length > LONG).filter(isGrid);
    if (long.length) {
      await load("tables/dataTables.min.js");
      DataTable.ext.errMode = "throw";
      long.forEach((table, i) => enhance(table, i + 1));
    }
    // A link to a row: its table may have begun to scroll after the browser went there.
    if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
    // Whoever has no mouse scrolls by the arrow keys, which need the focus.
    for (const box of document.querySelectorAll("article .output, article pre, article .pst-scrollable-table-container"))
      if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
  }

  // The theme names some controls otherwise than they read, so that whoever speaks to a browser cannot call them; and
  // the role of a reference in its list is one that browsers no longer know.
  function names() {
    document.querySelectorAll(".citation-list > .citation").forEach((one) => one.setAttribute("role", "listitem"));
    document.querySelectorAll("summary[aria-label], .search-button-field[aria-label]")
      .forEach((one) => one.removeAttribute("aria-label"));
  }

  document.addEventListener("DOMContentLoaded", () => {
    names();
    return tables();
  });
})();

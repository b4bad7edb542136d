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

  const named = () => decodeURIComponent(location.hash.slice(1));

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

  // pandas writes a value once for several rows; each row can move alone once it stands in all of them.
  function spread(table) {
    const rows = [...table.tBodies[0].rows];
    rows.forEach((row, at) => {
      for (let column = 0; column < row.cells.length; column++) {
        const cell = row.cells[column];
        const below = rows.slice(at + 1, at + cell.rowSpan);
        cell.removeAttribute("rowspan");
        for (const other of below) {
          const copy = cell.cloneNode(true);
          copy.removeAttribute("id");
          other.insertBefore(copy, other.cells[column] ?? null);
        }
      }
    });
  }

  // pandas names the index in a row of its own under the columns; one row of titles holds both.
  function joinTitles(table) {
    const [titles, names] = [...table.tHead.rows].slice(-2);
    const index = table.tBodies[0].rows[0].querySelectorAll("th").length;
    if (!names || titles.cells.length !== names.cells.length) return;
    if (!index || [...names.cells].slice(index).some((cell) => cell.textContent.trim())) return;
    [...names.cells].slice(0, index).forEach((cell, column) => {
      const title = titles.cells[column];
      if (title.textContent.trim()) title.append(document.createElement("br"));
      title.append(...cell.childNodes);
    });
    names.remove();
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
    return [...row.querySelectorAll("select")];
  }

  // A row that the address names is shown, whatever its table is searched for.
  function show(api, choices) {
    const row = api.rows().nodes().toArray().find((one) => one.id && one.id === named());
    if (!row) return;
    if (!row.isConnected) {
      choices.forEach((choice) => {
        choice.value = "";
        choice.dispatchEvent(new Event("change"));
      });
      api.search("").draw();
    }
    row.scrollIntoView({ block: "center" });
  }

  function enhance(table, count) {
    spread(table);
    joinTitles(table);
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
    const choices = filters(table, api);
    window.addEventListener("hashchange", () => show(api, choices));
  }

  async function tables() {
    const all = [...document.querySelectorAll("article table")].filter((table) => table.tBodies.length && table.tHead
      && !table.closest("#this-run")); // a run's manifest is read from top to bottom
    const long = all.filter((table) => table.id === "claims" || table.tBodies[0].rows.length > LONG)
      .filter((table) => !table.tBodies[0].querySelector("[colspan]"));
    if (long.length) {
      await load("tables/dataTables.min.js");
      DataTable.ext.errMode = "throw";
      long.forEach((table, i) => enhance(table, i + 1));
    }
    // A link to a row: its table may have begun to scroll after the browser went there.
    const place = document.getElementById(named());
    place?.scrollIntoView({ block: place.closest("tbody") ? "center" : "start" });
    // Whoever has no mouse scrolls by the arrow keys, which need the focus.
    for (const box of document.querySelectorAll("article .output, article pre, article .pst-scrollable-table-container"))
      if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
  }

  // A figure that the page draws smaller than it is opens at its own size.
  function figures() {
    for (const image of document.querySelectorAll("article .cell_output img")) {
      if (image.closest("a") || image.naturalWidth <= 1.2 * image.clientWidth) continue;
      const link = document.createElement("a");
      link.href = image.src;
      link.className = "whole-figure";
      link.title = "Open at full size";
      image.replaceWith(link);
      link.append(image);
    }
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
  window.addEventListener("load", figures);
})();

"use strict";

/* Tables sort by the column whose heading is clicked: numbers from the largest, words from A; again: reversed. */
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.firstElementChild.addEventListener("click", () => {
      const numeric = heading.classList.contains("number");
      const before = heading.getAttribute("aria-sort");
      const ascending = before ? before === "descending" : !numeric;
      const sign = ascending ? 1 : -1;
      const key = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === undefined || y === undefined) return (x === undefined) - (y === undefined); /* unknown comes last */
        return sign * (numeric ? x - y : x.localeCompare(y, "en", { numeric: true }));
      };
      body.append(...[...body.rows].sort(compare));
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    });
  });
}

/* Everything is open on paper. */
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const each of opened) each.open = true;
});
window.addEventListener("afterprint", () => {
  for (const each of opened) each.open = false;
});

const specifications = document.getElementById("charts");
if (specifications) drawCharts(JSON.parse(specifications.textContent));

async function drawCharts(charts) {
  const views = new Map();
  const width = (element) => Math.max(200, Math.floor(element.clientWidth));
  for (const [name, specification] of Object.entries(charts)) {
    const element = document.getElementById(name);
    const options = { mode: "vega", renderer: "svg", actions: false, defaultStyle: false, tooltip: showTooltip };
    const { view } = await vegaEmbed(element, { ...specification, width: width(element) }, options);
    views.set(element, view);
  }
  const fit = () => {
    for (const [element, view] of views) if (view.width() !== width(element)) view.width(width(element)).run();
  };
  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(fit);
  });
  window.addEventListener("beforeprint", fit);
  window.addEventListener("afterprint", fit);

  /* The strip's brush chooses what the chart below it shows. */
  for (const figure of document.querySelectorAll("figure.brushed")) {
    const [strip, detail] = [...figure.querySelectorAll(".chart")].map((element) => views.get(element));
    const whole = [detail.signal("from"), detail.signal("to")];
    strip.addSignalListener("brush", (name, value) => {
      const chosen = Object.values(value)[0];
      const [from, to] = chosen && chosen[1] > chosen[0] ? chosen : whole;
      detail.signal("from", from).signal("to", to).runAsync();
    });
  }
}

function showTooltip(handler, event, item, value) {
  const tooltip = document.getElementById("tooltip");
  tooltip.hidden = !value;
  if (!value) return;
  tooltip.textContent = typeof value === "object" ? Object.values(value).join("\n") : value;
  tooltip.style.whiteSpace = "pre-line";
  const { offsetWidth, offsetHeight } = tooltip;
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - offsetWidth - 8);
  const above = event.clientY - offsetHeight - 10;
  tooltip.style.left = `${Math.max(8, left)}px`;
  tooltip.style.top = `${above < 8 ? event.clientY + 18 : above}px`;
}

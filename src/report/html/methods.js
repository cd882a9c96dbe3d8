"use strict";
// The table of methods. In each column the best of those that save is set in bold.
const methods = (() => {
  // title, field, format, whether less is better
  const COLUMNS = [
    ["pause", "pause", units.duration, true],
    ["worst gap", "worst_gap", units.duration, true],
    ["p50", "p50", units.duration, true],
    ["p99", "p99", units.duration, true],
    ["p99.9", "p999", units.duration, true],
    ["max", "max", units.duration, true],
    ["writes over 5\u00a0ms", "over_5ms", units.count, true],
    ["throughput kept", "throughput_kept", units.percent, false],
    ["pages lost", "lost", units.count, true],
    ["total time", "total", units.duration, true],
    ["extra memory", "extra_memory", units.bytes, true],
  ];

  const bestOf = (rows, field, less) => {
    const values = rows.filter((row) => row.name !== "none" && row[field] !== null).map((row) => row[field]);
    // Where all are alike none is the best.
    if (values.length < 2 || Math.min(...values) === Math.max(...values)) return null;
    return less ? Math.min(...values) : Math.max(...values);
  };

  const draw = (rows, host) => {
    // A column that nobody measured is left out.
    const columns = COLUMNS.filter(([, field]) => rows.some((row) => row[field] !== null));
    const best = new Map(columns.map(([, field, , less]) => [field, bestOf(rows, field, less)]));
    const cell = (row, [, field, format]) => {
      const value = row[field];
      if (value === null) return dom.make("td", { class: "absent" }, "–");
      const marked = row.name !== "none" && value === best.get(field);
      return dom.make("td", { class: marked ? "best" : null }, format(value));
    };
    host.append(dom.make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of methods" },
      dom.make("table", { class: "methods", "data-chart": "methods" },
        dom.make("thead", {}, dom.make("tr", {}, dom.make("th", { scope: "col" }, "method"),
          ...columns.map(([title]) => dom.make("th", { scope: "col" }, title)))),
        dom.make("tbody", {}, ...rows.map((row) => dom.make("tr", {},
          dom.make("th", { scope: "row" }, dom.swatch(colors.method(row.name)), row.name,
            row.note ? dom.make("small", {}, row.note) : null),
          ...columns.map((column) => cell(row, column))))))));
  };

  return { draw };
})();

"use strict";
// Elements from data. Text is always set as text: names come from other processes.
const dom = (() => {
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "style") {
        Object.assign(made.style, value);
      } else if (value !== null && value !== undefined) {
        made.setAttribute(name, value);
      }
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  };

  const swatch = (color) => make("span", { class: "swatch", style: { background: color } });

  return {
    make,
    swatch,
    // entries: [color, text]
    legend: (entries) =>
      make("ul", { class: "legend" }, ...entries.map(([color, text]) => make("li", {}, swatch(color), text))),
    // A titled chart: where it goes, and the line that tells what the cursor is on.
    figure: (name, title, about) => {
      const chart = make("div", { class: "chart" });
      const readout = make("span", { class: "readout" });
      const caption = make("figcaption", {}, make("h3", {}, title), about ? make("span", { class: "about" }, about) : null, readout);
      return { figure: make("figure", { "data-chart": name }, caption, chart), chart, readout };
    },
  };
})();

"use strict";
// How each part of the memory was saved, or what else the map names kinds of: cells of equally many pages, in the order of their
// addresses.
const memoryMap = (() => {
  const KINDS = ["zero", "scanned", "faulted", "paused", "lost"];
  const MEANING = ["zero", "scanned: by the linear scan", "faulted: the target wrote it", "paused: copied in the pause", "lost"];
  const ZERO = 0;
  const LOST = 4;
  // Mappings of so many cells stand alone, under their name; the others follow together.
  const ALONE = 64;
  const MOST_ALONE = 12;

  // The cells of a mapping one by one: {address range, pages by kind}.
  const readCells = (map, mapping) => {
    const cells = [];
    const bytes = BigInt(map.cell_pages * map.page_bytes);
    let begin = BigInt(mapping.begin);
    const end = BigInt(mapping.end);
    for (let i = 0; i < mapping.cells.length; i += 1 + KINDS.length) {
      const pages = mapping.cells.slice(i + 1, i + 1 + KINDS.length);
      for (let n = 0; n < mapping.cells[i]; ++n) {
        const next = mapping.merged > 0 || begin + bytes > end ? end : begin + bytes;
        cells.push({ mapping, begin, end: next, pages });
        begin = next;
      }
    }
    return cells;
  };

  const nameOf = (mapping) => {
    const name = mapping.name || "anonymous";
    return mapping.merged > 0 ? `${name} and ${units.plural(mapping.merged, "mapping", "mappings")} after it` : name;
  };

  const sum = (cells) => cells.reduce((all, cell) => all.map((n, i) => n + cell.pages[i]), [0, 0, 0, 0, 0]);

  const kindsOf = (map) => map.kinds || KINDS;

  const shares = (map, pages) => {
    const total = pages.reduce((a, b) => a + b, 0);
    return kindsOf(map).map((kind, i) => pages[i] > 0 && `${units.percent(pages[i] / total)} ${kind}`).filter(Boolean).join(", ");
  };

  const sizeOf = (map, pages) => units.bytes(pages.reduce((a, b) => a + b, 0) * map.page_bytes);

  const describe = (map, cell) => {
    const counts = kindsOf(map).map((kind, i) => cell.pages[i] > 0 && `${units.count(cell.pages[i])} ${kind}`).filter(Boolean);
    return `0x${cell.begin.toString(16)} to 0x${cell.end.toString(16)} · ${nameOf(cell.mapping)} ${cell.mapping.permissions} · pages: ${
      counts.join(", ") || "none recorded"}`;
  };

  const paintCell = (context, palette, cell, left, top, width, height) => {
    const total = cell.pages.reduce((a, b) => a + b, 0);
    let bottom = top + height;
    for (let kind = 0; kind < KINDS.length && total > 0; ++kind) {
      if (cell.pages[kind] === 0) continue;
      const part = (cell.pages[kind] / total) * height;
      context.fillStyle = palette[kind];
      context.fillRect(left, bottom - part, width, part);
      bottom -= part;
    }
    // However few: what was lost must be seen.
    if (cell.pages[LOST] > 0) {
      context.fillStyle = palette[LOST];
      context.fillRect(left, top, width, Math.max(height * 0.4, (cell.pages[LOST] / total) * height));
    }
  };

  // One canvas of cells. `tell(cell)` is called with what is pointed at.
  const drawCells = (map, cells, host, label, tell) => {
    const available = host.clientWidth;
    const narrow = available < 500;
    const [width, height, gap] = narrow ? [5, 9, 1] : [7, 12, 1];
    const columns = Math.max(1, Math.floor(available / (width + gap)));
    const rows = Math.ceil(cells.length / columns);
    const ratio = window.devicePixelRatio || 1;
    const canvas = dom.make("canvas", { tabindex: "0", role: "img", "aria-label": label });
    const cssWidth = columns * (width + gap);
    const cssHeight = rows * (height + gap);
    canvas.width = Math.round(cssWidth * ratio);
    canvas.height = Math.round(cssHeight * ratio);
    canvas.style.width = `${cssWidth}px`;
    canvas.style.height = `${cssHeight}px`;
    host.append(canvas);

    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const palette = KINDS.map((kind) => colors.of(kind));
    const place = (i) => [(i % columns) * (width + gap), Math.floor(i / columns) * (height + gap)];
    cells.forEach((cell, i) => paintCell(context, palette, cell, ...place(i), width, height));

    let chosen = -1;
    const choose = (i) => {
      if (chosen >= 0) {
        const [left, top] = place(chosen);
        context.clearRect(left - 0.5, top - 0.5, width + 1, height + 1);
        paintCell(context, palette, cells[chosen], left, top, width, height);
      }
      chosen = i >= 0 && i < cells.length ? i : -1;
      if (chosen < 0) return tell(null);
      const [left, top] = place(chosen);
      context.strokeStyle = colors.of("text");
      context.lineWidth = 1.5;
      context.strokeRect(left + 0.75, top + 0.75, width - 1.5, height - 1.5);
      return tell(cells[chosen]);
    };
    const at = (event) => {
      const column = Math.floor(event.offsetX / (width + gap));
      return column < columns ? Math.floor(event.offsetY / (height + gap)) * columns + column : -1;
    };
    canvas.addEventListener("pointermove", (event) => choose(at(event)));
    canvas.addEventListener("pointerdown", (event) => choose(at(event)));
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && choose(-1));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      choose(Math.min(cells.length - 1, Math.max(0, chosen + step)));
    });
  };

  const block = (map, host, title, detail, cells, tell) => {
    const header = dom.make("header", {}, dom.make("b", {}, title), dom.make("span", { class: "muted" }, detail));
    const place = dom.make("div", { class: "cells" }, header);
    host.append(place);
    drawCells(map, cells, place, `${title}: ${detail}`, tell);
  };

  const about = (map) => {
    const one = `A cell is ${units.bytes(map.cell_pages * map.page_bytes)} of one mapping; point at it, tap it or use the arrow keys.`;
    return map.unknown > 0 ? `${one} Not shown: ${units.count(map.unknown)} pages in ranges too many to record.` : one;
  };

  const draw = (panel, host) => {
    const map = panel.memory;
    const all = map.mappings.map((mapping) => readCells(map, mapping));
    const total = sum(all.flat());
    const figure = dom.make("figure", { class: "memory", "data-chart": "memory" },
      dom.make("figcaption", {}, dom.make("h3", {}, "Memory"), dom.make("span", { class: "about" }, about(map))),
      dom.legend(KINDS.map((kind, i) => [colors.of(kind), `${(map.meanings || MEANING)[i]}, ${units.count(total[i])} ${total[i] === 1 ? "page" : "pages"}`])));
    host.append(figure);
    const readout = dom.make("div", { class: "readout", "aria-live": "polite" });
    const tell = (cell) => { readout.textContent = cell === null ? "" : describe(map, cell); };

    // Address space that was only reserved would take the room of what is in use.
    const empty = all.filter((cells) => sum(cells).every((n, kind) => kind === ZERO || n === 0));
    const used = all.filter((cells) => !empty.includes(cells));
    const large = used.filter((cells) => cells.length >= ALONE).sort((a, b) => b.length - a.length).slice(0, MOST_ALONE);
    const others = used.filter((cells) => !large.includes(cells));
    for (const cells of used.filter((some) => large.includes(some))) {
      const { mapping } = cells[0];
      const pages = sum(cells);
      block(map, figure, nameOf(mapping), `${mapping.permissions}, from ${mapping.begin}, ${sizeOf(map, pages)}: ${shares(map, pages)}`, cells, tell);
    }
    const together = (some, names) => {
      if (some.length === 0) return;
      const pages = sum(some.flat());
      block(map, figure, units.plural(some.length, ...names), `${sizeOf(map, pages)}: ${shares(map, pages)}`, some.flat(), tell);
    };
    const other = large.length > 0 ? ["other mapping", "other mappings"] : ["mapping", "mappings"];
    together(others, other);
    const unremarkable = map.unremarkable || "mapping of zeros only";
    together(empty, [unremarkable, unremarkable.replace("mapping", "mappings")]);
    figure.append(readout);
  };

  return { draw };
})();

"use strict";
// Latency over time: how many writes in each column of time and each logarithmic row of latency.
const heatMap = (() => {
  const LIMIT = 5e6;  // what a write may take without being counted as slow, in nanoseconds

  const edge = (map, row) => map.lowest * 10 ** (row / map.rows_per_decade);

  // Counts by "column * rows + row", and the sum of each column.
  const read = (map) => {
    const counts = new Map();
    const totals = new Array(map.columns).fill(0);
    for (let i = 0; i < map.cells.length; i += 3) {
      const [column, row, count] = map.cells.slice(i, i + 3);
      counts.set(column * map.rows + row, count);
      totals[column] += count;
    }
    return { counts, totals };
  };

  // One scale for the latencies and the shades of all panels, so that they can be held against one another.
  const commonScale = (panels) => {
    const maps = panels.map((panel) => panel.latency).filter((map) => map);
    let most = 1;
    let from = Infinity;
    let to = LIMIT * 6;
    for (const map of maps) {
      for (let i = 0; i < map.cells.length; i += 3) {
        const [, row, count] = map.cells.slice(i, i + 3);
        most = Math.max(most, count);
        // From a whole decade on.
        from = Math.min(from, edge(map, Math.floor(row / map.rows_per_decade) * map.rows_per_decade));
        to = Math.max(to, edge(map, row + 1) * 1.1);
      }
    }
    return { most, from, to };
  };

  const shade = (ramp, count, most) => ramp[most <= 1 ? 32 : Math.round((Math.log(count) / Math.log(most)) * (ramp.length - 1))];

  const paint = (u, map, seen, scale, ramp) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    // At least as wide and high as a pixel of the screen, edges on whole ones: no seams.
    const x = (column) => Math.floor(u.valToPos(map.begin + column * map.column, "x", true));
    const y = (row) => Math.floor(u.valToPos(edge(map, row), "y", true));
    for (const [key, count] of seen.counts) {
      const column = Math.floor(key / map.rows);
      const row = key % map.rows;
      ctx.fillStyle = shade(ramp, count, scale.most);
      const left = x(column);
      const top = y(row + 1);
      ctx.fillRect(left, top, Math.max(uPlot.pxRatio, x(column + 1) - left), Math.max(uPlot.pxRatio, y(row) - top));
    }
    ctx.restore();
  };

  const describe = (u, map, seen, hovered) => {
    const column = Math.floor((u.posToVal(u.cursor.left, "x") - map.begin) / map.column);
    if (column < 0 || column >= map.columns || seen.totals[column] === 0) return "no writes here";
    const at = units.duration(map.begin + column * map.column);
    const all = `${at}: ${units.plural(seen.totals[column], "write", "writes")}, longest ${units.duration(map.longest[column])}`;
    if (!hovered) return all;
    const row = Math.floor(Math.log10(u.posToVal(u.cursor.top, "y") / map.lowest) * map.rows_per_decade);
    const count = seen.counts.get(column * map.rows + row) ?? 0;
    return `${all} · ${units.count(count)} of ${units.duration(edge(map, row))} to ${units.duration(edge(map, row + 1))}`;
  };

  const scaleLegend = (ramp, most) =>
    dom.make("p", { class: "legend" },
      dom.make("span", {}, "writes in a cell: 1",
        dom.make("span", { class: "ramp", style: { background: `linear-gradient(to right, ${ramp.join(",")})` } }),
        units.count(most)));

  const draw = (panel, host, scale) => {
    const map = panel.latency;
    const seen = read(map);
    const ramp = colors.heatRamp();
    const { figure, chart: area, readout } = dom.figure("latency", panel.latency_title, "each column: the writes of that time");
    host.append(figure);
    const times = Array.from({ length: map.columns }, (_, i) => map.begin + (i + 0.5) * map.column);
    const data = chart.onTimeAxis(panel, times, map.longest.map((ns) => Math.max(ns, map.lowest)));
    let hovered = false;
    const plot = new uPlot(chart.options(area, area.clientWidth < 500 ? 240 : 300, {
      scales: { x: chart.timeScale(panel), y: { distr: 3, range: () => [scale.from, scale.to] } },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: [chart.timeAxis(true), chart.yAxis(chart.decades, units.duration)],
      cursor: { ...chart.sync(panel), y: true },
      hooks: {
        drawAxes: [(u) => paint(u, map, seen, scale, ramp)],
        draw: [(u) => chart.drawMarks(u, panel, true), (u) => chart.drawLimit(u, LIMIT, "5 ms")],
        setCursor: [(u) => { readout.textContent = u.cursor.left < 0 ? "" : describe(u, map, seen, hovered); }],
      },
    }), data, area);
    plot.over.addEventListener("mouseenter", () => { hovered = true; });
    plot.over.addEventListener("mouseleave", () => { hovered = false; });
    figure.append(scaleLegend(ramp, scale.most));
    return plot;
  };

  return { commonScale, draw };
})();

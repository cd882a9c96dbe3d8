"use strict";
// What the saver did, under the heat map and on the same time axis: throttle, stage, output.
const timeline = (() => {
  const STATES = [
    ["pushing", "pushing", "scan pushes pages"],
    ["holding_back", "holding-back", "throttle holds it back"],
    ["no_room", "no-room", "scan waits for the output"],
  ];

  const begins = (line) => line.pushing.map((_, i) => line.begin + i * line.bin);

  const indexAt = (u, line) => Math.floor((u.posToVal(u.cursor.left, "x") - line.begin) / line.bin);

  // Bars of a bin's width, one state upon the other.
  const paintStates = (u, line) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (let i = 0; i < line.pushing.length; ++i) {
      const left = Math.floor(u.valToPos(line.begin + i * line.bin, "x", true));
      const right = Math.floor(u.valToPos(line.begin + (i + 1) * line.bin, "x", true));
      let share = 0;
      for (const [key, color] of STATES) {
        if (line[key][i] === 0) continue;
        const bottom = u.valToPos(share, "y", true);
        share += line[key][i];
        const top = u.valToPos(share, "y", true);
        ctx.fillStyle = colors.of(color);
        ctx.fillRect(left, top, Math.max(1, right - left), bottom - top);
      }
    }
    ctx.restore();
  };

  const drawThrottle = (panel, host, labels) => {
    const line = panel.timeline;
    const { figure, chart: area, readout } = dom.figure("throttle", "Throttle", "share of time");
    host.append(figure);
    const plot = new uPlot(chart.options(area, labels ? 84 : 62, {
      scales: { x: chart.timeScale(panel), y: { range: () => [0, 1] } },
      series: [{}, ...STATES.map(() => ({ paths: () => null, points: { show: false } }))],
      axes: [chart.timeAxis(labels), chart.yAxis(() => [0, 1], units.percent)],
      cursor: chart.sync(panel),
      hooks: {
        drawAxes: [(u) => paintStates(u, line)],
        draw: [(u) => chart.drawMarks(u, panel, false)],
        setCursor: [(u) => {
          const i = u.cursor.left < 0 ? -1 : indexAt(u, line);
          const known = STATES.filter(([key]) => line[key][i] > 0);
          readout.textContent = known.map(([key, , text]) => `${text}: ${units.percent(line[key][i])}`).join(", ");
        }],
      },
    }), chart.onTimeAxis(panel, begins(line), ...STATES.map(([key]) => line[key])), area);
    figure.append(dom.legend(STATES.map(([, color, text]) => [colors.of(color), text])));
    return plot;
  };

  // A filled stepped line of sizes. `limit`: drawn as a dashed line, zero for none.
  const drawSizes = (panel, host, labels, what) => {
    const line = panel.timeline;
    const { figure, chart: area, readout } = dom.figure(what.name, what.title, what.about);
    host.append(figure);
    const highest = Math.max(what.limit, ...what.values.map((value) => value ?? 0), 1);
    const color = colors.of(what.color);
    return new uPlot(chart.options(area, labels ? 142 : 120, {
      scales: { x: chart.timeScale(panel), y: { range: () => [0, Math.max(highest * 1.05, what.limit * 1.25)] } },
      series: [{}, { stroke: color, width: 1.5, fill: `${color}38`, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
      axes: [chart.timeAxis(labels), chart.yAxis(() => sizeTicks(highest), what.format)],
      cursor: chart.sync(panel),
      hooks: {
        draw: [(u) => chart.drawMarks(u, panel, false), (u) => what.limit > 0 && chart.drawLimit(u, what.limit, what.limitLabel)],
        setCursor: [(u) => {
          const value = u.cursor.left < 0 ? null : what.values[indexAt(u, line)];
          readout.textContent = value === null || value === undefined ? "" : what.format(value);
        }],
      },
    }), chart.onTimeAxis(panel, begins(line), what.values), area);
  };

  // At most four, at 1, 2, 5 (of the binary unit), so that their labels are short.
  const sizeTicks = (highest) => {
    const unit = 1024 ** Math.floor(Math.log2(highest) / 10);
    const tens = 10 ** Math.floor(Math.log10(highest / unit));
    const step = [0.2, 0.5, 1, 2, 5].map((n) => n * tens * unit).find((n) => highest / n <= 3.5) ?? highest;
    return Array.from({ length: Math.floor(highest / step) + 1 }, (_, i) => i * step);
  };

  const stage = (line) => ({
    name: "stage", title: "Stage", about: "copies on their way to the output", color: "stage",
    values: line.stage, format: units.bytes, limit: line.stage_size, limitLabel: `size: ${units.bytes(line.stage_size)}`,
  });
  const output = (line) => ({
    name: "output", title: "Output", about: "bytes written a second", color: "output",
    values: line.sent.map((bytes) => bytes / (line.bin / 1e9)), format: units.rate,
    limit: line.max_bandwidth, limitLabel: `bound: ${units.rate(line.max_bandwidth)}`,
  });

  // All of them; the last one carries the time axis.
  const draw = (panel, host) => [
    drawThrottle(panel, host, false),
    drawSizes(panel, host, false, stage(panel.timeline)),
    drawSizes(panel, host, true, output(panel.timeline)),
  ];

  return { draw };
})();

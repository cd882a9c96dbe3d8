"use strict";
// What all charts have in common: font, grid, gutters that are equally wide so that time axes stand under one another.
const chart = (() => {
  const LEFT = 76;
  const RIGHT = 24;  // half of the last tick's label
  const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif';

  const axis = (more) => ({
    stroke: colors.of("muted"),
    font: FONT,
    grid: { stroke: colors.of("grid"), width: 1 },
    ticks: { stroke: colors.of("line"), width: 1, size: 4 },
    ...more,
  });

  // The y axis of a logarithmic scale: one tick a decade, or fewer.
  const decades = (u, index, min, max) => {
    const ticks = [];
    for (let power = Math.ceil(Math.log10(min) - 1e-9); power <= Math.log10(max) + 1e-9; ++power) ticks.push(10 ** power);
    return ticks;
  };

  const timeAxis = (labels) =>
    axis({
      size: labels ? 28 : 6,
      // Labels apart from one another, also where there is much room.
      space: (u) => Math.max(60, u.width / 12),
      values: (u, ticks) => (labels ? units.timeTicks(ticks) : ticks.map(() => "")),
    });

  // Options of uPlot, to which a chart adds its own. The hooks may be arrays of its own too.
  const options = (host, height, more) => ({
    width: Math.max(200, host.clientWidth),
    height,
    padding: [8, RIGHT, 0, 0],
    legend: { show: false },
    ...more,
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false }, ...more.cursor },
  });

  // Of the panel's time axis: the pause, and what is marked. `labels`: with their words, at the top.
  const drawMarks = (u, panel, labels) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const x = (ns) => u.valToPos(ns, "x", true);
    if (panel.pause > 0) {
      ctx.fillStyle = colors.of("pause");
      ctx.fillRect(x(-panel.pause), bbox.top, Math.max(uPlot.pxRatio, x(0) - x(-panel.pause)), bbox.height);
    }
    ctx.strokeStyle = ctx.fillStyle = colors.of("muted");
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([2 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    ctx.font = FONT.replace("12px", `${12 * uPlot.pxRatio}px`);
    ctx.textBaseline = "top";
    for (const mark of panel.marks) {
      const at = Math.round(x(mark.at)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
      if (!labels) continue;
      // On the side where there is room.
      const fits = at + ctx.measureText(mark.label).width + 6 * uPlot.pxRatio < bbox.left + bbox.width;
      ctx.textAlign = fits ? "left" : "right";
      ctx.fillText(mark.label, at + (fits ? 5 : -5) * uPlot.pxRatio, bbox.top + 4 * uPlot.pxRatio);
    }
    ctx.restore();
  };

  // A horizontal dashed line at a value, with its word at the left end: the right one is for marks.
  const drawLimit = (u, value, label) => {
    const { min, max } = u.scales.y;
    if (value < min || value > max) return;
    const { ctx, bbox } = u;
    const y = Math.round(u.valToPos(value, "y", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colors.of("limit");
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([6 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = FONT.replace("12px", `${12 * uPlot.pxRatio}px`);
    ctx.textAlign = "left";
    // Under the line where there is no room above it.
    const above = y - bbox.top > 16 * uPlot.pxRatio;
    ctx.textBaseline = above ? "bottom" : "top";
    const place = [label, bbox.left + 5 * uPlot.pxRatio, y + (above ? -2 : 3) * uPlot.pxRatio];
    // A rim in the page's color keeps it readable where data lies behind.
    ctx.setLineDash([]);
    ctx.lineJoin = "round";
    ctx.lineWidth = 4 * uPlot.pxRatio;
    ctx.strokeStyle = colors.of("page");
    ctx.strokeText(...place);
    ctx.fillText(...place);
    ctx.restore();
  };

  // Values on the panel's whole time axis: it begins and ends where the panel does, whatever was measured of it.
  const onTimeAxis = (panel, times, ...columns) => {
    const xs = [...times];
    const filled = columns.map((column) => [...column]);
    if (xs.length === 0 || xs[0] > panel.begin) {
      xs.unshift(panel.begin);
      for (const column of filled) column.unshift(null);
    }
    if (xs[xs.length - 1] < panel.end) {
      xs.push(panel.end);
      for (const column of filled) column.push(null);
    }
    return [xs, ...filled];
  };

  return {
    axis, decades, timeAxis, options, drawMarks, drawLimit, onTimeAxis,
    // uPlot leaves a tick out, as null, where there is no room for its label.
    yAxis: (splits, format) => axis({
      size: LEFT, gap: 6, splits, values: (u, ticks) => ticks.map((tick) => (tick === null ? "" : format(tick))) }),
    timeScale: (panel) => ({ time: false, range: (u, min, max) => [min, max > min ? max : min + 1] }),
    // Charts of one panel share their cursor and their zoom.
    sync: (panel) => ({ sync: { key: `panel ${panel.name}`, scales: ["x", null] } }),
  };
})();

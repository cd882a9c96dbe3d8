"use strict";
// Latency by percentile, one curve for each method. The axis stretches the tail: each nine takes as much room as the last.
const percentiles = (() => {
  const position = (quantile) => -Math.log10(Math.max(1e-12, 1 - quantile));
  const NAMED = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9999999, 0.99999999];
  const name = (quantile) => `${Number((quantile * 100).toFixed(6))} %`;

  const lineSample = (method) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("width", "30");
    svg.setAttribute("height", "10");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [key, value] of Object.entries({ x1: 0, x2: 30, y1: 5, y2: 5, "stroke-width": 2.5 })) line.setAttribute(key, value);
    line.setAttribute("stroke", colors.method(method));
    line.setAttribute("stroke-dasharray", colors.dash(method).join(" "));
    svg.append(line);
    return svg;
  };

  const draw = (title, curves, host) => {
    const { figure, chart: area, readout } = dom.figure("percentiles", title, "the share of writes that took no longer");
    host.append(figure);
    const data = uPlot.join(curves.map((curve) => [
      curve.points.map(([quantile]) => position(quantile)), curve.points.map(([, ns]) => Math.max(ns, 1))]));
    const values = curves.flatMap((curve) => curve.points.map(([, ns]) => Math.max(ns, 1)));
    const from = Math.min(...values) / 1.3;
    const to = Math.max(...values) * 1.3;
    const last = Math.max(...data[0]);

    // Beside each name its value, in room that is always there: a text that grew would move the chart away under the pointer.
    const entries = curves.map((curve) => dom.make("span", { class: "value" }));
    const tell = (u) => {
      const pointed = u.cursor.left >= 0;
      const at = pointed ? u.posToVal(u.cursor.left, "x") : 0;
      readout.textContent = pointed ? name(Number((1 - 10 ** -at).toPrecision(Math.ceil(at) + 2))) : "";
      curves.forEach((curve, i) => {
        const point = pointed && curve.points.find(([quantile]) => position(quantile) >= at - 1e-9);
        entries[i].textContent = point ? units.duration(point[1]) : "";
      });
    };

    const plot = new uPlot(chart.options(area, area.clientWidth < 500 ? 260 : 340, {
      scales: { x: { time: false, range: () => [0, Math.max(1, last) * 1.01] }, y: { distr: 3, range: () => [from, to] } },
      series: [{}, ...curves.map((curve) => ({
        stroke: colors.method(curve.name), dash: colors.dash(curve.name), width: 2, spanGaps: true, points: { show: false },
      }))],
      axes: [
        chart.axis({ size: 28, splits: () => NAMED.map(position).filter((x) => x <= last), values: () => NAMED.map(name) }),
        chart.yAxis(chart.decades, units.duration),
      ],
      cursor: { drag: { x: false, y: false } },
      hooks: {
        draw: [(u) => chart.drawLimit(u, 5e6, "5 ms")],
        setCursor: [tell],
      },
    }), data, area);
    figure.append(dom.make("ul", { class: "legend" },
      ...curves.map((curve, i) => dom.make("li", {}, lineSample(curve.name), curve.name, entries[i]))));
    return plot;
  };

  return { draw };
})();

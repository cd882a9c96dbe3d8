"use strict";
// Puts the page together from the data in it, and again when its width or the color scheme changes.
(() => {
  const page = document.getElementById("page");
  const troubles = [];
  // A report that is only half drawn says so.
  const trouble = (what) => {
    troubles.push(String(what));
    document.documentElement.dataset.troubles = String(troubles.length);
    if (troubles.length === 1) {
      page.prepend(dom.make("p", { class: "trouble" }, `A part of this report could not be drawn: ${what}`));
    }
  };
  window.addEventListener("error", (event) => trouble(event.message));
  document.documentElement.dataset.troubles = "0";

  const attempt = (draw) => {
    try {
      draw();
    } catch (error) {
      trouble(error.message);
      console.error(error);
    }
  };

  const report = JSON.parse(document.getElementById("report").textContent);
  document.title = report.title;
  colors.learn([...report.methods, ...report.curves, ...report.panels].map((entry) => entry.name));
  const scale = heatMap.commonScale(report.panels);
  let shown = Math.max(0, report.panels.findIndex((panel) => panel.name !== "none"));

  const drawHead = () => {
    page.append(dom.make("h1", {}, report.title));
    if (report.lead) page.append(dom.make("p", {}, report.lead));
    if (report.facts.length === 0) return;
    page.append(dom.make("dl", { class: "facts" }, ...report.facts.flatMap(({ label, value }) => [
      dom.make("dt", {}, label), dom.make("dd", { class: label === "Command" ? "mono" : null }, value)])));
  };

  const drawPanel = (panel, host) => {
    if (panel.note) host.append(dom.make("p", { class: "muted small" }, panel.note));
    if (panel.latency) {
      attempt(() => heatMap.draw(panel, host, scale));
    } else if (panel.latency_title) {
      host.append(dom.make("p", { class: "muted" }, `${panel.latency_title}: none.`));
    }
    if (panel.timeline) attempt(() => timeline.draw(panel, host));
    if (panel.memory) attempt(() => memoryMap.draw(panel, host));
  };

  const drawPanels = () => {
    if (report.panels.length === 0) return;
    if (report.panels.some((panel) => panel.latency_title)) {
      page.append(dom.make("h2", {}, "Over time"),
        dom.make("p", { class: "muted small" }, "Times count from when the target ran on after the pause.",
          dom.make("span", { class: "with-mouse" }, " Drag to zoom in, double-click to zoom out.")));
    }
    const host = dom.make("div");
    if (report.panels.length > 1) {
      const buttons = report.panels.map((panel, i) => {
        const button = dom.make("button", { type: "button", "aria-pressed": String(i === shown) }, panel.name);
        button.addEventListener("click", () => {
          shown = i;
          buttons.forEach((other, k) => other.setAttribute("aria-pressed", String(k === i)));
          host.replaceChildren();
          drawPanel(report.panels[i], host);
        });
        return button;
      });
      page.append(dom.make("div", { class: "choices", role: "group", "aria-label": "Method" }, ...buttons));
    }
    page.append(host);
    drawPanel(report.panels[shown], host);
  };

  const drawAll = () => {
    page.replaceChildren();
    drawHead();
    if (report.methods.length > 0) {
      page.append(dom.make("h2", {}, "Cost"));
      if (report.methods_note) page.append(dom.make("p", { class: "muted small" }, report.methods_note));
      attempt(() => methods.draw(report.methods, page));
    }
    const curves = report.curves.filter((curve) => curve.points.length > 0);
    if (curves.length > 0) attempt(() => percentiles.draw(report.curves_title, curves, page));
    drawPanels();
    if (report.notes.length > 0) {
      page.append(dom.make("div", { class: "notes" }, ...report.notes.map((note) => dom.make("p", {}, note))));
    }
  };

  let width = 0;
  const redraw = () => {
    width = page.clientWidth;
    attempt(drawAll);
  };
  window.addEventListener("resize", () => page.clientWidth !== width && redraw());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  redraw();
})();

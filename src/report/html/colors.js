"use strict";
// Colors come from the page's style, so that light and dark are told apart in one place only.
const colors = (() => {
  const property = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  // From few to many; 64 shades between the five of the style.
  const heatRamp = () => {
    const stops = [0, 1, 2, 3, 4].map((i) => rgb(property(`heat-${i}`)));
    return Array.from({ length: 64 }, (_, i) => {
      const at = (i / 63) * 4;
      const low = Math.min(3, Math.floor(at));
      const mixed = stops[low].map((c, k) => Math.round(c + (stops[low + 1][k] - c) * (at - low)));
      return `rgb(${mixed.join(",")})`;
    });
  };

  // Lines differ in dashes too, for whom colors do not tell apart.
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [14, 4], [3, 6]];
  const methods = new Map();
  const METHODS = 7;
  const learn = (names) => {
    for (const name of names) {
      if (!methods.has(name)) methods.set(name, name === "none" ? -1 : [...methods.values()].filter((i) => i >= 0).length);
    }
  };

  return {
    of: property,
    heatRamp,
    // Gives each name its color, in this order. "none" is gray: it is what the others are held against.
    learn,
    method: (name) => {
      const i = methods.get(name);
      return i === undefined || i < 0 ? property("none") : property(`method-${i % METHODS}`);
    },
    dash: (name) => {
      const i = methods.get(name);
      return i === undefined || i < 0 ? [] : DASHES[i % DASHES.length];
    },
  };
})();

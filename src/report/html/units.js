"use strict";
// Numbers as a person reads them. Times are in nanoseconds, sizes in bytes.
const units = (() => {
  // Three digits, without zeros at the end.
  const short = (value) => String(Number(value.toPrecision(3)));

  const scaled = (value, steps) => {
    const size = Math.abs(value);
    let [factor, unit] = steps[0];
    for (const step of steps) {
      // What would be rounded up to the next unit is in it already.
      if (size >= step[0] * 0.9995) [factor, unit] = step;
    }
    const number = Math.abs(value / factor) >= 1000 ? Math.round(value / factor) : short(value / factor);
    return `${number} ${unit}`;
  };

  const TIMES = [[1, "ns"], [1e3, "µs"], [1e6, "ms"], [1e9, "s"]];
  const SIZES = [[1, "B"], [2 ** 10, "KiB"], [2 ** 20, "MiB"], [2 ** 30, "GiB"], [2 ** 40, "TiB"]];

  return {
    duration: (ns) => (ns === 0 ? "0 s" : scaled(ns, TIMES)),
    bytes: (bytes) => scaled(bytes, SIZES),
    rate: (bytes) => `${scaled(bytes, SIZES)}/s`,
    count: (n) => Math.round(n).toLocaleString("en-US"),
    percent: (share) => {
      const percent = share * 100;
      if (percent > 99.9 && percent < 100) return "> 99.9 %";
      if (percent > 0 && percent < 0.1) return "< 0.1 %";
      return `${Number(percent.toFixed(percent < 10 ? 1 : 0))} %`;
    },
    plural: (n, one, many) => `${Math.round(n).toLocaleString("en-US")} ${n === 1 ? one : many}`,
    // Ticks of one axis: one unit for all of them, as many digits as tell them apart.
    timeTicks: (ticks) => {
      const largest = Math.max(...ticks.map(Math.abs));
      const [factor, unit] = TIMES.filter((step, i) => i === 0 || largest >= step[0]).pop();
      const exact = (digits) => ticks.every((tick) => Math.abs(Number((tick / factor).toFixed(digits)) - tick / factor) < 1e-9);
      const digits = [0, 1, 2, 3, 4, 5].find(exact) ?? 6;
      return ticks.map((tick) => (tick === 0 ? `0 ${unit}` : `${(tick / factor).toFixed(digits)} ${unit}`));
    },
  };
})();

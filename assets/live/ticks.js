/** Axis ranges and ticks: quantised, so that a noisy extreme does not shake the axis. */

/** A round distance between ticks for about `wanted` ticks over `span`. */
export function niceStep(span, wanted) {
  const rough = span / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = rough / power;
  if (digit <= 1) return power;
  if (digit <= 2) return 2 * power;
  return digit <= 5 ? 5 * power : 10 * power;
}

/** Round numbers in [low, high]. */
export function linearTicks(low, high, wanted) {
  const step = niceStep(high - low, wanted);
  const ticks = [];
  // Counting in whole steps keeps 0.30000000000000004 off the axis.
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) {
    ticks.push(Number((n * step).toPrecision(12)));
  }
  return ticks;
}

/** Powers of ten, with 2 and 5 between them when there is room; round numbers within one decade. */
export function logTicks(low, high, wanted) {
  const decades = Math.log10(high / low);
  if (decades < 0.9) return linearTicks(low, high, wanted).filter((tick) => tick > 0);
  const digits = decades * 3 <= wanted + 1 ? [1, 2, 5] : decades * 2 <= wanted + 1 ? [1, 3] : [1];
  const every = Math.max(1, Math.ceil(decades / wanted));
  const ticks = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) {
    if (e % every !== 0) continue;
    for (const digit of digits) {
      const tick = Number(`${digit}e${e}`);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return ticks;
}

/** The ticks of an axis of steps that is `width` pixels long. */
export function stepTicks(low, high, width) {
  return linearTicks(low, high, width / 90).filter(Number.isInteger);
}

/** The ticks of an axis of values that is `height` pixels long. */
export function valueTicks(low, high, height, log) {
  return (log ? logTicks : linearTicks)(low, high, height / 46);
}

/** The y range that holds [low, high] with a margin, rounded outward. */
export function niceRange(low, high, log) {
  if (!(low <= high)) return log ? [0.1, 10] : [0, 1];
  return log ? logRange(low, high) : linearRange(low, high);
}

/** The x range's end while a run streams: the first of steps/16, /8, /4, /2, /1 that holds `last`. */
export function horizon(last, steps, final) {
  if (final || !(steps > last)) return Math.max(1, last);
  for (const part of [16, 8, 4, 2]) if (last <= steps / part) return Math.ceil(steps / part);
  return steps;
}

function linearRange(low, high) {
  const from = low > 0 && low < 0.6 * high ? 0 : low;
  const span = high - from || Math.abs(high) || 1;
  const step = niceStep(span, 5) / 2;
  const margin = 0.03 * span;
  const start = from === 0 ? 0 : Math.floor((from - margin) / step) * step;
  const end = Math.ceil((high + margin) / step) * step;
  return end > start ? [start, end] : [start, start + step];
}

function logRange(low, high) {
  const quantum = high / low > 100 ? 0.25 : 0.1;
  const start = Math.floor((Math.log10(low) - 0.02) / quantum) * quantum;
  const end = Math.ceil((Math.log10(high) + 0.02) / quantum) * quantum;
  return [10 ** start, 10 ** Math.max(end, start + quantum)];
}

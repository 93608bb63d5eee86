/** How numbers and durations are written for a reader, with the marks of the language. */
import { local } from "./words.js";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** A number with thousands separators, or a dash when it is unknown. */
export function count(value) {
  return Number.isFinite(value) ? local(whole.format(value)) : "–";
}

/** A number with `digits` significant digits, or a dash when it was not measured. */
export function significant(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e5) return signed(exponent(value, digits - 2));
  // toPrecision would write 13310 as 1.331e+4.
  if (size >= 10 ** digits) return signed(value.toFixed(0));
  return signed(value.toPrecision(digits));
}

/** A tick label: as short as the value allows. */
export function tick(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e5 || size < 1e-3) return signed(exponent(value, 2).replace(/\.?0+e/, "e"));
  return signed(String(Number(value.toPrecision(4))));
}

/** A step on the axis: thousands are written k and millions M once they would crowd it. */
export function stepTick(value) {
  if (value >= 1e6) return `${local(String(Number((value / 1e6).toPrecision(4))))}M`;
  if (value >= 1e4) return `${local(String(Number((value / 1e3).toPrecision(4))))}k`;
  return local(whole.format(value));
}

/** A duration in seconds as "5 s", "3 min 20 s" or "2 h 5 min". */
export function duration(seconds) {
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return total % 60 ? `${minutes} min ${total % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** A rate with the digits that matter at its size. */
export function rate(value) {
  return local(value >= 10 ? whole.format(value) : String(Number(value.toPrecision(2))));
}

function exponent(value, digits) {
  return value.toExponential(Math.max(0, digits)).replace("e+", "e");
}

function signed(text) {
  return local(text.replaceAll("-", "−"));
}

// Draws a metric over the versions; the table beside the drawing has the same numbers.
import { drawn } from "./elements.js";
import { nameOf, shown } from "./metrics.js";

const WIDTH = 1000;
const HEIGHT = 190;
const EDGE = 16;
const DIGIT = 8;

/**
 * @param {import("./metrics.js").Scored[]} versions that have the metric, oldest first
 * @param {string} metric
 * @param {string | null} serving
 */
export function trend(versions, metric, serving) {
  const scores = versions.map((version) => version.metrics[metric]);
  const low = Math.min(...scores.map(({ mean, std }) => mean - std));
  const high = Math.max(...scores.map(({ mean, std }) => mean + std));
  const span = high - low || Math.abs(high) / 100 || 0.01;
  const ticks = [low, low + span / 2, high].map((tick) => [tick, span < 10 ? tick.toFixed(3) : shown(Number(tick.toPrecision(4)))]);
  const left = 12 + DIGIT * Math.max(...ticks.map(([, text]) => text.length));
  const x = (at) => (versions.length === 1 ? WIDTH / 2 : left + EDGE + (at * (WIDTH - left - 2 * EDGE)) / (versions.length - 1));
  const y = (score) => EDGE + ((high - score) * (HEIGHT - 2 * EDGE)) / span;
  const lines = ticks.map(([tick, text]) => [
    drawn("line.grid", { x1: left, x2: WIDTH, y1: y(tick), y2: y(tick) }),
    drawn("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, text),
  ]);
  const points = versions.map((version, at) => {
    const { mean, std } = version.metrics[metric];
    const served = version.model_version === serving;
    return drawn("g", { class: `point ${version.outcome} ${served ? "served" : ""}` },
      drawn("title", {}, `${version.model_version}: ${shown(mean)} ± ${shown(std)}, ${served ? "served" : version.outcome}`),
      drawn("line.spread", { x1: x(at), x2: x(at), y1: y(mean - std), y2: y(mean + std) }),
      drawn("circle", { cx: x(at), cy: y(mean), r: served ? 6 : 4 }));
  });
  const line = drawn("polyline", { points: scores.map(({ mean }, at) => `${x(at)},${y(mean)}`).join(" ") });
  const latest = shown(scores.at(-1).mean);
  return drawn("svg.trend", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${nameOf(metric)} of ${versions.length} versions, oldest first; the newest has ${latest}` },
    ...lines.flat(), line, ...points);
}

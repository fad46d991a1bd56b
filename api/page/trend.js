// Draws ROC AUC over the versions; the table beside the drawing has the same numbers.
import { drawn } from "./elements.js";

const WIDTH = 1000;
const HEIGHT = 190;
const LEFT = 52;
const EDGE = 16;

/**
 * @param {{model_version: string, outcome: string, metrics: {roc_auc: {mean: number, std: number}}}[]} versions oldest first
 * @param {string | null} serving
 */
export function trend(versions, serving) {
  const scores = versions.map((version) => version.metrics.roc_auc);
  const low = Math.min(...scores.map(({ mean, std }) => mean - std));
  const high = Math.max(...scores.map(({ mean, std }) => mean + std));
  const span = high - low || 0.01;
  const x = (at) => (versions.length === 1 ? WIDTH / 2 : LEFT + EDGE + (at * (WIDTH - LEFT - 2 * EDGE)) / (versions.length - 1));
  const y = (score) => EDGE + ((high - score) * (HEIGHT - 2 * EDGE)) / span;
  const ticks = [low, low + span / 2, high].map((tick) => [
    drawn("line.grid", { x1: LEFT, x2: WIDTH, y1: y(tick), y2: y(tick) }),
    drawn("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(3)),
  ]);
  const points = versions.map((version, at) => {
    const { mean, std } = version.metrics.roc_auc;
    const served = version.model_version === serving;
    return drawn("g", { class: `point ${version.outcome} ${served ? "served" : ""}` },
      drawn("title", {}, `${version.model_version}: ${mean.toFixed(4)} ± ${std.toFixed(4)}, ${served ? "served" : version.outcome}`),
      drawn("line.spread", { x1: x(at), x2: x(at), y1: y(mean - std), y2: y(mean + std) }),
      drawn("circle", { cx: x(at), cy: y(mean), r: served ? 6 : 4 }));
  });
  const line = drawn("polyline", { points: scores.map(({ mean }, at) => `${x(at)},${y(mean)}`).join(" ") });
  const latest = scores.at(-1).mean.toFixed(4);
  return drawn("svg.trend", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `ROC AUC of ${versions.length} versions, oldest first; the newest has ${latest}` },
    ...ticks.flat(), line, ...points);
}

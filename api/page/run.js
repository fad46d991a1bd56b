// The current run: its stages, live from the event stream, and its result.
import { call } from "./calls.js";
import { badge, confirmed, element, notice } from "./elements.js";
import { events } from "./events.js";
import { comparison } from "./metrics.js";
import { lasted } from "./times.js";

const AGAIN_MS = 2000;

export const hasEnded = (job) => !["queued", "running"].includes(job.status);

/**
 * Shows a job in `place`, and updates what it shows until the job ends.
 * @param {string[]} stages
 * @param {() => void} ended called when the job has ended
 * @returns {() => void} stops the updates
 */
export function follow(job, place, stages, ended) {
  const steps = stages.map((stage) => element("li", {}, stage));
  const bar = element("progress", { id: "run-progress", max: 1, value: job.progress });
  const percent = element("span", {});
  const said = element("p", { role: "status" });
  const clock = element("span", {});
  const problem = element("div", {});
  const cancel = element("button", { type: "button", onclick: () => cancelRun(job, problem) }, "Cancel this run");
  const outcome = element("div.outcome", {});
  place.replaceChildren(
    element("div.run-head", {}, said, clock),
    element("label.bar-label", { for: "run-progress" }, `Run ${job.job_id.slice(0, 8)}`, percent), bar,
    element("ol.steps", {}, ...steps), element("div.buttons", {}, cancel), problem, outcome);

  let latest = job;
  const running = new AbortController();
  const stop = () => {
    running.abort();
    clearInterval(ticking);
  };
  const tick = () => (clock.textContent = lasted(latest.started_at ?? latest.created_at, latest.finished_at));
  const ticking = setInterval(tick, 100);
  const update = async (next) => {
    latest = next;
    const done = next.status === "succeeded" ? stages.length : stages.indexOf(next.stage);
    steps.forEach((step, at) => {
      step.className = at < done ? "done" : at === done ? (hasEnded(next) ? next.status : "now") : "";
      if (at === done && !hasEnded(next)) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    bar.value = next.progress;
    percent.textContent = `${Math.round(100 * next.progress)} %`;
    const words = next.status === "running" ? `running: ${next.stage ?? "about to begin"}` : next.status;
    if (said.textContent !== words) said.replaceChildren(badge(next.status), words.slice(next.status.length));
    tick();
    if (!hasEnded(next)) return;
    stop();
    cancel.remove();
    outcome.replaceChildren(...(await told(next)));
    ended();
  };
  const listen = async () => {
    while (!running.signal.aborted) {
      try {
        for await (const next of events(`/jobs/${job.job_id}/events`, running.signal)) await update(next);
        // The stream of an API process that stops ends, too.
        if (!hasEnded(latest)) await update(await call("GET", `/jobs/${job.job_id}`, { signal: running.signal }));
      } catch (refusal) {
        if (refusal.status === 404) {
          stop();
          place.replaceChildren(notice("The run is no longer known: the job store was emptied.", "bad"));
          ended();
        }
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  };
  update(job);
  if (!hasEnded(job)) listen();
  return stop;
}

async function cancelRun(job, problem) {
  if (!(await confirmed("Cancel this run?", "The run stops at its next stage or fold, and publishes nothing.", "Cancel the run"))) return;
  try {
    await call("DELETE", `/jobs/${job.job_id}`);
    problem.replaceChildren(notice("The run stops at its next stage or fold."));
  } catch (refusal) {
    problem.replaceChildren(notice(`The run was not cancelled: ${refusal.message}.`, "bad"));
  }
}

async function told(job) {
  if (job.status === "cancelled") return [notice("The run was cancelled; nothing was published.")];
  if (job.status === "failed") return [notice(`The run failed: ${job.error}`, "bad")];
  const { model_version, outcome, reason } = job.result;
  const parts = [element("p.verdict", {}, badge(outcome), " ", element("a", { href: `#models/${model_version}` }, model_version)), element("p", {}, reason)];
  try {
    const run = await call("GET", `/models/${model_version}`);
    if (run.gate.compared_with !== null) {
      const before = await call("GET", `/models/${run.gate.compared_with}`);
      parts.push(comparison(["This run", run], ["Served before", before]));
    }
  } catch (refusal) {
    parts.push(notice(`The versions cannot be compared: ${refusal.message}.`));
  }
  return parts;
}

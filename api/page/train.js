// The section Train: starts a run, follows the current one, and lists the past ones.
import { call } from "./calls.js";
import { badge, element, notice, renew, table } from "./elements.js";
import { rounds } from "./rounds.js";
import { follow, hasEnded } from "./run.js";
import { stages } from "./schema.js";
import { lasted, time } from "./times.js";

const LOOK_MS = 3000;

export async function show(section) {
  const names = await stages();
  const problem = element("div", {});
  const live = element("div", {});
  const liveCard = element("div.card", { hidden: true }, element("h2", {}, "Run"), live);
  const past = element("div.card", {}, element("h2", {}, "History"), element("p.hint", {}, "Loading …"));
  const force = element("input", { type: "checkbox", id: "force", "aria-describedby": "force-hint" });
  const start = element("button.primary", { type: "button" }, "Start a run");
  section.replaceChildren(
    element("h1", {}, "Train"),
    element("div.card", {},
      element("h2", {}, "Retrain"),
      element("p", {}, "Trains a candidate on the training table, proves that its export gives the same answers, and serves it unless it is clearly worse than the served model or would break its clients. Predictions continue meanwhile."),
      element("div.buttons", {}, start, element("span.choice", {}, force, element("label", { for: "force" }, "Serve it even if the gate would reject it"))),
      element("p.hint", { id: "force-hint" }, "Use this when a candidate must be served although the gate finds it worse, or although it refuses requests that the served version answers. The export is still proved."),
      problem),
    liveCard, past);

  let stopFollowing = () => {};
  let followed = null;
  let away = false;
  const watch = (job) => {
    stopFollowing();
    followed = job.job_id;
    liveCard.hidden = false;
    stopFollowing = follow(job, live, names, look);
  };
  async function look() {
    try {
      const { jobs } = await call("GET", "/jobs?limit=20");
      renew(past, element("h2", {}, "History"), jobs.length > 0 ? history(jobs) : element("p.hint", {}, "No run yet."));
      const active = jobs.find((job) => !hasEnded(job));
      if (active !== undefined && active.job_id !== followed) watch(active);
      start.disabled = active !== undefined;
      if (away) problem.replaceChildren();
      away = false;
    } catch (refusal) {
      start.disabled = true;
      away = true;
      const reason = refusal.message.startsWith("Redis does not answer")
        ? "Redis does not answer, so no run can be started or shown now. Predictions continue"
        : `No run can be started or shown now: ${refusal.message}`;
      renew(problem, notice(`${reason}. This page tries again by itself.`, "bad"));
    }
  }
  start.addEventListener("click", async () => {
    start.disabled = true;
    problem.replaceChildren();
    try {
      const { job_id } = await call("PUT", `/run-pipeline${force.checked ? "?force=true" : ""}`);
      watch(await call("GET", `/jobs/${job_id}`));
      force.checked = false;
    } catch (refusal) {
      problem.replaceChildren(notice(`No run was started: ${refusal.message}.`, "bad"));
    }
    await look();
  });
  await look();
  const endLooks = rounds(look, LOOK_MS);
  return () => {
    endLooks();
    stopFollowing();
  };
}

function history(jobs) {
  return table("The last 20 runs, newest first", ["Requested", "By", "Kind", "Status", "Duration", "Result"],
    jobs.map((job) => element("tr", {},
      element("td", {}, time(job.created_at)),
      element("td", {}, job.requested_by ?? "unknown"),
      element("td", {}, what(job)),
      element("td", {}, badge(job.status)),
      element("td", {}, lasted(job.started_at, job.finished_at)),
      element("td.wide", {}, result(job)))));
}

function what(job) {
  const words = [job.forced ? "forced" : "gated"];
  if (job.attempts > 1) words.push(`${job.attempts} attempts`);
  return element("span", { title: job.worker === null ? null : `worker ${job.worker}` }, words.join(", "));
}

function result(job) {
  if (job.result !== null)
    return element("span", {}, badge(job.result.outcome), " ", element("a", { href: `#models/${job.result.model_version}` }, job.result.model_version));
  if (job.error === null) return "";
  return element("details", {}, element("summary", {}, job.error.split("\n")[0].slice(0, 80)), element("p.error-text", {}, job.error));
}

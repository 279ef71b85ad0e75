// The page of experiments: who is in which arm, whether the arms can be compared, the effect day by day, the verdict.

import { ask } from "./api.js";
import { at, h, percent, plural, say, sentence, tell, whole, wordsOf } from "./dom.js";
import { looksChart } from "./looks.js";

const VERDICTS = { ship: "Ship it", stop: "Stop", invalid: "No verdict" };
const METRICS = {
  ctr: "clicks per impression",
  clicks_per_user: "clicks per user",
  watch_per_user: "time watched per user",
  watch_per_user_winsorised: "the same, winsorised",
  watch_per_user_trimmed: "the same, trimmed",
  conversion: "users who convert",
  cold_share: "new items' share of impressions",
  coverage: "distinct items shown",
};
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeZone: "UTC" });
const minute = new Intl.DateTimeFormat("en", { timeStyle: "short", timeZone: "UTC" });

const metricName = (name) => METRICS[name] ?? name;
const date = (seconds) => day.format(1000 * seconds);
const known = (value) => value !== null && value !== undefined;

/** A relative difference: +5.1%. */
function change(value) {
  if (!known(value)) return "∞";
  const text = `${(100 * Math.abs(value)).toFixed(1)}%`;
  return `${value < 0 ? "−" : "+"}${text}`;
}

const interval = (told) => (told ? `[${known(told.low) ? change(told.low) : "−∞"}, ${change(told.high)}]` : "");
const probability = (p) => (!known(p) ? "" : p < 0.001 ? "< 0.001" : p.toFixed(3));
const value = (number) => (!known(number) ? "" : Math.abs(number) >= 1000 ? whole(Math.round(number)) : Number(number.toPrecision(4)).toString());

async function start() {
  const place = at("experiments");
  try {
    const { experiments } = await ask("GET", "v1/experiments");
    place.replaceChildren(...(experiments.length ? experiments.map(panel) : [nothing()]));
    place.removeAttribute("aria-busy");
    for (const each of experiments) await fill(each);
    say(`${plural(experiments.length, "experiment")} shown`);
  } catch (error) {
    place.removeAttribute("aria-busy");
    tell(error);
  }
}

const nothing = () => h("section", { class: "panel" }, h("h2", {}, "No experiment runs"),
  h("p", { class: "muted" }, "Start the server with isotherm serve --experiment PLAN."));

/** An experiment before its result is known: its arms and their users. */
function panel(told) {
  const [first, last] = [told.start, told.end].map((time) => (known(time) ? date(time) : null));
  const when = [first && `from ${first}`, last && `until ${last}`].filter(Boolean).join(" ");
  const id = idOf(told);
  return h("section", { class: "panel experiment", id, "aria-labelledby": `${id}-heading` },
    h("div", { class: "heading" },
      h("h2", { id: `${id}-heading` }, h("bdi", {}, told.experiment)),
      h("p", { class: `ready ${told.running ? "yes" : "no"}` }, told.running ? "running" : "not running")),
    h("p", { class: "muted small" }, [when, `${whole(told.users)} users`, told.share < 1 && `${percent(told.share)} of users take part`,
      told.holdout && `${percent(told.holdout)} held out`, told.testers && plural(told.testers, "tester")].filter(Boolean).join(" · ")),
    h("div", { class: "verdict-place" }, h("p", { class: "muted" }, "The log is being analysed …")),
    h("div", { class: "columns" },
      h("div", {}, h("h3", {}, "Who is in which arm"), armsTable(told), h("p", { class: "ratio small" })),
      h("div", { class: "chart-place" })),
    h("div", { class: "metrics-place" }));
}

const idOf = (told) => `experiment-${encodeURIComponent(told.experiment).replaceAll("%", "-")}`;

function armsTable(told) {
  const expected = (arm) => whole(Math.round(arm.share * told.users));
  return table(["arm", "model", "users", "expected"], told.arms.map((arm) =>
    [h("bdi", {}, arm.arm), h("bdi", {}, arm.model), whole(arm.users), told.kind === "arms" ? expected(arm) : "–"]), 2);
}

/** The result of an experiment, once the server has it. */
async function fill(told) {
  const place = at(idOf(told));
  const box = place.querySelector(".verdict-place");
  try {
    const found = await ask("GET", `v1/experiments/${encodeURIComponent(told.experiment)}/result`);
    const { result, words, made } = found;
    if (!result) return box.replaceChildren(h("p", { class: "muted" }, sentence(words.join(" "))));
    box.replaceChildren(verdict(result, made));
    showRatio(place, result);
    if (!result.metrics.length) return null;
    place.querySelector(".chart-place").replaceChildren(...chart(result));
    place.querySelector(".metrics-place").replaceChildren(h("h3", {}, "All metrics"), metricsTable(result),
      h("p", { class: "muted small" }, `At any look: an interval that stays valid however often one looks. ${sentence(words.slice(-2).join(" "))}`));
  } catch (error) {
    box.replaceChildren(h("p", { class: "muted" }, wordsOf(error)));
  }
  return null;
}

function verdict(result, made) {
  const action = result.verdict;
  const n = action === "invalid" ? 1 : result.words.findIndex((line) => line.startsWith("The arms have"));
  return h("div", { class: `verdict ${action}` },
    h("p", { class: "action" }, action === "wait" ? waiting(result) : VERDICTS[action] ?? action),
    h("div", {}, result.words.slice(0, Math.max(1, n)).map((line) => h("p", {}, sentence(line))),
      h("p", { class: "muted small" }, `Day ${result.days}; analysed at ${minute.format(1000 * made)} UTC`)));
}

function waiting({ wait_days: days, options }) {
  return days <= options.longest ? `Wait: ${plural(days, "more day")}` : "Undecided";
}

function showRatio(place, result) {
  const { mismatch, p } = result.sample_ratio;
  const line = place.querySelector(".ratio");
  line.classList.add(mismatch ? "bad" : "good");
  line.textContent = mismatch ? `✗ Sample ratio mismatch, p = ${probability(p)}: believe no figure before the reason is known.`
    : `✓ The arms have the users that the plan gives them, p = ${probability(p)}.`;
}

function chart(result) {
  const goal = result.metrics.find((each) => each.metric === result.metric && each.arm === result.arm);
  const title = h("h3", {}, `${metricName(result.metric)}, ${result.arm} against ${result.against}, day by day`);
  if (!goal.looks.length) return [title, h("p", { class: "muted" }, "There are too few users for a look yet.")];
  const last = goal.looks.at(-1);
  const words = `Day ${last.day}: ${change(last.estimate)} ${interval(last.sequence)} at any look`;
  return [title, looksChart(goal.looks, words), h("p", { class: "muted small" }, `${words}. Band: valid however often one looks; bars: valid for one planned look.`)];
}

function metricsTable(result) {
  const several = result.arms.length > 2;
  const names = ["metric", "role", ...(several ? ["arm"] : []), "control", "treatment", "change", "95% interval", "at any look", "p, corrected", "better"];
  const rows = result.metrics.map((each) => {
    const none = !known(each.estimate);
    return [metricName(each.metric), each.role, ...(several ? [each.arm] : []), value(each.control), value(each.treatment),
      none ? "–" : change(each.estimate), none ? "" : interval(each), none ? "" : interval(each.sequence),
      probability(each.p_adjusted), none || !known(each.probability_better) ? "" : `${(100 * each.probability_better).toFixed(1)}%`];
  });
  return table(names, rows, several ? 3 : 2);
}

/** A table; so many leading columns are words. */
function table(names, rows, words) {
  const cell = (name) => (content, n) => h(name, { class: n >= words ? "number" : null, scope: name === "th" ? "col" : null }, content);
  return h("div", { class: "table-frame", tabindex: "0", role: "group", "aria-label": names.join(", ") }, h("table", {},
    h("thead", {}, h("tr", {}, names.map(cell("th")))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell("td")))))));
}

start();

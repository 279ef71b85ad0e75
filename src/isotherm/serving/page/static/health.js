// How the server is: the model on the air, and what /metrics counts.

import { ask } from "./api.js";
import { at, duration, h, percent, tenths, whole } from "./dom.js";

const EVERY = 10_000; // milliseconds, while it is on the screen

let onScreen = false;
let last = null; // what was told of the model before
let changed = () => {};

/** Look at the server now and then.  run(isOtherModel): called when items or the model were changed. */
export function startHealth(run) {
  changed = run;
  const look = () => onScreen && document.visibilityState === "visible" && showHealth();
  new IntersectionObserver(([entry]) => {
    onScreen = entry.isIntersecting;
    look();
  }).observe(at("health"));
  document.addEventListener("visibilitychange", look);
  setInterval(look, EVERY);
}

export async function showHealth() {
  try {
    const [ready, model, metrics] = await Promise.all([isReady(), quietly("v1/model"), quietly("metrics")]);
    at("ready").replaceChildren(h("span", { class: ready ? "ready yes" : "ready no" }, ready ? "✓ ready" : "✗ not ready"));
    at("model-line").textContent = `${model.model} · ${whole(model.items)} items, ${whole(model.new_items)} new`;
    const before = last;
    last = model;
    if (before && before.version !== model.version) changed(before.model !== model.model || before.kind !== model.kind);
    at("figures").replaceChildren(...figures(model, samples(metrics)).flatMap(([name, value, title]) =>
      h("div", { title }, h("dt", {}, name), h("dd", {}, value))));
  } catch (error) {
    at("ready").replaceChildren(h("span", { class: "ready no" }, `✗ ${error.message}`));
  }
}

/** Without asking for the token: it looks again and again. */
const quietly = (path) => ask("GET", path, undefined, { interactive: false });

async function isReady() {
  try {
    return (await quietly("readyz")).status === "ok";
  } catch {
    return false;
  }
}

function figures(model, all) {
  const requests = sum(all, "isotherm_requests_total");
  const failed = sum(all, "isotherm_requests_total", ({ status }) => status?.startsWith("5"));
  const lists = ({ route }) => route?.endsWith("/recommend") || route?.endsWith("/recommendations");
  const time = (share) => {
    const seconds = quantile(all, share, lists);
    return seconds === null ? "–" : seconds < 1 ? `${tenths(1000 * seconds)} ms` : `${tenths(seconds)} s`;
  };
  const shown = sum(all, "isotherm_shown_items_total");
  const cold = sum(all, "isotherm_shown_items_total", (labels) => labels.cold === "true");
  return [
    ["Model", h("bdi", {}, model.model), `kind: ${model.kind}`],
    ["Version", whole(model.version), "rises with each change of items or model"],
    ["Loaded", `${duration(model.age_seconds)} ago`],
    ["Items", whole(model.items)],
    ["New items", whole(model.new_items), "nobody had clicked them when the model was fitted"],
    ["Users", whole(model.users), "of the fit"],
    ["Requests", failed ? `${whole(requests)}, ${whole(failed)} failed` : whole(requests), "since the server started"],
    ["Lists, median", time(0.5), "estimated from the histogram of /metrics"],
    ["Lists, p99", time(0.99), "estimated from the histogram of /metrics"],
    ["New items shown", shown ? percent(cold / shown) : "–", "of all items in lists"],
  ];
}

/** Prometheus' text as a list of {name, labels, value}. */
function samples(text) {
  const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
  return text.split("\n").flatMap((each) => {
    const found = each.startsWith("#") ? null : line.exec(each);
    if (!found) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]));
    return [{ name: found[1], labels, value: Number(found[3].replace("+Inf", "Infinity")) }];
  });
}

function sum(all, name, wanted = () => true) {
  return all.filter((each) => each.name === name && wanted(each.labels)).reduce((total, each) => total + each.value, 0);
}

/** The time within which that share of the requests was answered, between the edges of its bucket. */
function quantile(all, share, wanted) {
  const buckets = new Map();
  for (const { name, labels, value } of all) {
    if (name !== "isotherm_request_seconds_bucket" || !wanted(labels)) continue;
    const edge = Number(labels.le.replace("+Inf", "Infinity"));
    buckets.set(edge, (buckets.get(edge) ?? 0) + value);
  }
  const edges = [...buckets.keys()].sort((a, b) => a - b);
  const total = buckets.get(Infinity) ?? 0;
  if (!total) return null;
  let [low, below] = [0, 0];
  for (const edge of edges) {
    const count = buckets.get(edge);
    if (count >= share * total) return edge === Infinity ? low : low + ((edge - low) * (share * total - below)) / Math.max(1, count - below);
    [low, below] = [edge, count];
  }
  return low;
}

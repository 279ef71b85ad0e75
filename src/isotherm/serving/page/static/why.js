// Why an item is in the list: a sentence, the titles that speak for it, the fields, and how certain that is.

import { ask } from "./api.js";
import { bar, clipped, h, named, percent, sentence } from "./dom.js";
import { asker } from "./state.js";

const SHOWN = 5;

export async function explanation(item) {
  const why = await ask("POST", "v1/explain", { ...asker(), item: String(item.item_id) });
  return h("div", { class: "note" },
    h("p", { class: "sentence" }, h("bdi", {}, sentence(why.text))),
    part("By what you clicked", why.by_item, (row) => named(row)),
    part("By field", why.by_field, fieldOf),
    certainty(why.certainty));
}

function part(heading, rows, name) {
  const speaking = (rows ?? []).filter((row) => row.percent !== null && row.percent >= 0.5).slice(0, SHOWN);
  if (!speaking.length) return "";
  return h("div", {}, h("h3", {}, heading), h("ul", { class: "bars" }, speaking.map((row) =>
    h("li", {}, h("span", { class: "what" }, name(row)), bar(row.percent / 100), h("span", { class: "number" }, percent(row.percent / 100))))));
}

function fieldOf(row) {
  const words = row.in_common ? [": ", h("bdi", { class: "muted" }, clipped(row.in_common, 80))] : [];
  return h("span", {}, h("bdi", {}, clipped(row.field.replaceAll("_", " "), 60)), ...words);
}

function certainty(value) {
  if (value === null || value === undefined) return "";
  return h("div", {}, h("h3", {}, "Certainty"), h("ul", { class: "bars" },
    h("li", {}, h("span", { class: "what" }, "how much of a new item its metadata explains"), bar(value), h("span", { class: "number" }, percent(value)))));
}

// For editors: add an item and see who will get it before it is saved; hide an item, or show it again.

import { ask, itemPath } from "./api.js";
import { forget } from "./catalogue.js";
import { at, badge, bar, clipped, detail, h, later, nameOf, named, percent, plural, say, tell, whole } from "./dom.js";
import { control } from "./fields.js";
import { showHealth } from "./health.js";
import { markAdded, showList } from "./list.js";
import { refreshMap } from "./map.js";
import { searchBox } from "./search.js";
import { change } from "./state.js";
import { showTaste } from "./taste.js";

const K = 10; // length of the lists that an item may enter
const USERS = 8; // that are named

let form = null;
let controls = []; // {field, control}
let asked = 0; // number of the last question who will get an item
let isAsking = false; // one question at a time: each makes many lists
let waiting = null; // the one that comes next

export function startItems(told) {
  if (told.takes_new_items) addForm(told);
  else {
    at("add").replaceChildren(h("h3", {}, "Add an item"),
      h("p", { class: "muted" }, "The model on the air knows items by their clicks alone. One that reads metadata can show new ones."));
  }
  changeForm();
}

function addForm(told) {
  controls = told.fields.flatMap((field, n) => {
    const of = { id: `new-${n}`, label: clipped(field.name.replaceAll("_", " "), 60), required: field.name === told.title };
    const made = control(field, of);
    return made ? [{ field, control: made }] : [];
  });
  const left = told.fields.length - controls.length;
  const id = h("input", { id: "new-id", type: "text", required: true, autocomplete: "off", maxlength: 200, placeholder: told.new_id === null ? "a text that no other item has" : told.new_id });
  form = h("form", { autocomplete: "off", novalidate: true },
    h("h3", {}, "Add an item"),
    h("div", { class: "grid" }, ...controls.map((each) => each.control.element),
      h("p", { class: "field" }, h("label", { for: "new-id" }, "id"), id)),
    left ? h("p", { class: "muted small" }, `${plural(left, "field")} cannot be typed here, and will count as not known.`) : "",
    whenForm(),
    h("div", { class: "buttons" }, h("button", { type: "submit", class: "main" }, "Save and show"),
      h("button", { type: "button", onclick: clear }, "Clear")));
  const askSoon = later(500, () => askReach());
  form.addEventListener("input", askSoon);
  form.addEventListener("changed", askSoon);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(told.new_id);
  });
  at("add").replaceChildren(form);
  showReach(null);
}

function whenForm() {
  const moment = (id, label) => h("p", { class: "field" }, h("label", { for: id }, label), h("input", { id, type: "datetime-local" }));
  return h("details", {}, h("summary", {}, "When it is shown"), h("div", { class: "pair" }, moment("new-from", "from"), moment("new-until", "until")));
}

function metadata() {
  const pairs = controls.map(({ field, control: of }) => [field.name, of.value()]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== null));
}

function clear() {
  for (const { control: of } of controls) of.clear();
  for (const id of ["new-id", "new-from", "new-until"]) at(id).value = "";
  showReach(null);
}

/** Ask who will get what is in the form; nothing is saved. */
async function askReach() {
  const values = metadata();
  if (!Object.keys(values).length) return showReach(null);
  return reach({ metadata: values }, "Who will get it");
}

async function reach(about, heading) {
  waiting = [about, heading];
  if (isAsking) return;
  isAsking = true;
  while (waiting) {
    const next = waiting;
    waiting = null;
    await askOnce(...next);
  }
  isAsking = false;
}

async function askOnce(about, heading) {
  const mine = (asked += 1);
  at("reach").setAttribute("aria-busy", "true");
  if (!at("reach").querySelector(".figure")) at("reach").replaceChildren(h("h3", {}, heading), h("p", { class: "muted" }, "asking…"));
  try {
    const answer = await ask("POST", "v1/items/audience", { ...about, k: K });
    if (mine === asked) showReach(answer, heading);
  } catch (error) {
    if (mine === asked) at("reach").replaceChildren(h("h3", {}, heading), h("p", { class: "muted" }, clipped(error.message, 400)));
  } finally {
    if (mine === asked) at("reach").setAttribute("aria-busy", "false");
  }
}

function showReach(answer, heading = "Who will get it") {
  if (!answer) {
    asked += 1;
    waiting = null;
    return at("reach").replaceChildren(h("h3", {}, heading),
      h("p", { class: "muted" }, "Fill the form: this shows at once how many users would find the item in their lists. Nothing is saved before you say so."));
  }
  const share = answer.users.length / Math.max(1, answer.asked);
  const told = `${plural(answer.users.length, "user")} of ${whole(answer.asked)}`;
  const users = answer.users.slice(0, USERS).map((user) =>
    h("button", { type: "button", class: "quiet", onclick: () => change({ user: String(user), taste: [] }) }, h("bdi", {}, clipped(String(user), 30))));
  at("reach").replaceChildren(h("h3", {}, heading),
    h("p", { class: "figure" }, percent(share)),
    bar(share),
    h("p", {}, `${told} would find it among their first ${K}. It would take ${percent(answer.share_of_slots)} of all places.`),
    answer.users.length ? h("div", {}, h("p", { class: "muted small" }, "Highest for these; look at the list of one:"), h("div", { class: "acts" }, users)) : h("p", { class: "muted small" }, "More metadata may bring it closer to somebody."));
  return say(`${told} would get it, ${percent(answer.share_of_slots)} of all places`);
}

async function save(proposed) {
  const values = metadata();
  const title = controls.find(({ control: of }) => of.element.querySelector("[required]"));
  if (title && values[title.field.name] === undefined) return complain(title.control.element.querySelector("input"), "Give the item a title");
  const id = at("new-id").value.trim() || (proposed === null ? slug(values[title?.field.name]) : String(proposed));
  if (!id) return complain(at("new-id"), "Give the item an id");
  if (/^\.{1,2}$/.test(id)) return complain(at("new-id"), "An id of dots alone has no address; choose another id");
  const body = { metadata: values };
  for (const [name, field] of [["available_from", "new-from"], ["available_until", "new-until"]]) {
    if (at(field).value) body[name] = new Date(at(field).value).getTime() / 1000;
  }
  try {
    const same = await ask("GET", `v1/items?${new URLSearchParams({ item_id: id })}`);
    if (same.found) return complain(at("new-id"), `There is an item with the id ${clipped(id, 40)}: ${nameOf(same.items[0])}. Choose another id`);
    await ask("PUT", itemPath(id), body);
    markAdded(id);
    forget(id);
    clear();
    tell(null);
    reach({ item: id }, "Who gets it");
    await Promise.all([showList(), showHealth(), refreshMap()]);
    at("new-id").placeholder = proposed === null ? at("new-id").placeholder : (await ask("GET", "v1/fields")).new_id;
    const name = nameOf({ item_id: id, title: values[title?.field.name] });
    at("change-state").replaceChildren(h("p", { class: "done" }, h("bdi", {}, name), " is on the air."));
    return say(`${name} is on the air`);
  } catch (error) {
    return tell(error);
  }
}

function complain(input, words) {
  tell(new Error(words));
  input.focus();
}

function slug(title) {
  return String(title ?? "").normalize("NFKD").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
}

function changeForm() {
  const box = h("div", {});
  at("change").replaceChildren(h("h3", {}, "Hide an item, or show it again"), box, h("div", { id: "change-state" }));
  searchBox(box, { id: "item-search", label: "Search all titles", hint: "Hidden ones, too", unavailable: true, pick: (item) => showItem(item.item_id) });
}

async function showItem(id) {
  try {
    const item = await ask("GET", itemPath(id));
    const hide = h("button", { type: "button", id: "hide", class: "main", onclick: () => setHidden(item, !item.hidden) }, item.hidden ? "Show again" : "Hide from everybody");
    at("change-state").replaceChildren(
      h("p", { class: "title" }, h("span", { class: "name" }, named(item)), item.cold ? badge("New") : null, item.available ? null : badge(item.hidden ? "hidden" : "not shown now", "plain")),
      h("p", { class: "muted small" }, detail(item)),
      h("p", { class: "muted small" }, [`id ${clipped(item.item_id, 60)}`, plural(item.clicks, "click"), ...times(item)].join(" · ")),
      h("div", { class: "buttons" }, hide, h("button", { type: "button", onclick: () => reach({ item: String(item.item_id) }, "Who gets it") }, "Who gets it")));
    hide.focus();
  } catch (error) {
    tell(error);
  }
}

function times(item) {
  const words = (name, seconds) => (seconds === null ? [] : [`${name} ${new Date(1000 * seconds).toLocaleString()}`]);
  return [...words("from", item.available_from), ...words("until", item.available_until)];
}

/** Everything else stays as it was put. */
async function setHidden(item, isHidden) {
  const { available_from, available_until } = item;
  try {
    await ask("PUT", itemPath(item.item_id), { hidden: isHidden, available_from, available_until });
    forget(item.item_id);
    await Promise.all([showItem(item.item_id), showList(), showTaste(), showHealth(), refreshMap()]);
    say(`${nameOf(item)} is ${isHidden ? "hidden" : "shown again"}`);
  } catch (error) {
    tell(error);
  }
}

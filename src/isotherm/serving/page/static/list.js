// The list, what changed in it, and what can be done with each item.

import { ask, itemPath } from "./api.js";
import { lookUp } from "./catalogue.js";
import { at, badge, detail, h, hidden, nameOf, named, plural, say, tell } from "./dom.js";
import { addToTaste, exclude, request, state } from "./state.js";
import { explanation } from "./why.js";

const FAR = 1000; // how far down a new item is looked for

let running = null;
let before = []; // ids of the list that was shown last
let added = new Set(); // ids that were added on this page
let open = { id: "", part: "" }; // what is open under an item
let drawn = []; // functions to call with each new list

/** Call a function with the items of each new list. */
export function onList(run) {
  drawn.push(run);
}

/** Ask for the list anew and show it. */
export async function showList() {
  running?.abort();
  const mine = (running = new AbortController());
  at("list").setAttribute("aria-busy", "true");
  try {
    const answer = await ask("POST", "v1/recommend", request(), { signal: mine.signal });
    if (mine !== running) return;
    show(answer);
    tell(null);
    await details(answer, mine);
    await showAdded(answer, mine);
  } catch (error) {
    if (error.name !== "AbortError") tell(error);
  } finally {
    if (mine === running) at("list").setAttribute("aria-busy", "false");
  }
}

/** Mark an item as just added, here and in the lists that follow. */
export function markAdded(id) {
  added.add(String(id));
}

function show(answer) {
  const ids = answer.items.map((item) => String(item.item_id));
  if (!ids.includes(open.id)) open = { id: "", part: "" };
  const focus = focused();
  at("recommendations").replaceChildren(...answer.items.map(row));
  focus();
  const n = answer.items.filter((item) => item.cold).length;
  const by = answer.answered_by === "popularity" ? "most clicked first" : state.user ? "from what this user clicked" : "from your taste";
  const unknown = answer.unknown ? `; ${plural(answer.unknown, "id")} unknown to the model` : "";
  at("answered").textContent = answer.items.length ? `${by}${n ? `, ${n} new` : ""}${unknown}` : "";
  if (!answer.items.length) {
    at("recommendations").replaceChildren(h("li", { class: "muted" }, "No item is left: loosen the filters, or allow some again."));
  }
  say(`${plural(answer.items.length, "recommendation")}, ${n} new, ${by}${unknown}`);
  before = ids;
  for (const run of drawn) run(answer.items);
}

/** A function that gives the focus back after the list is drawn anew: to the same item, or to the same place. */
function focused() {
  const act = document.activeElement?.dataset?.act;
  const rows = [...at("recommendations").children];
  const place = rows.findIndex((each) => each.contains(document.activeElement));
  if (!act || place < 0) return () => {};
  return () => {
    const same = at("recommendations").querySelector(`[data-act="${CSS.escape(act)}"]`);
    const there = at("recommendations").children[Math.min(place, at("recommendations").children.length - 1)];
    const kind = act.split(" ")[0];
    (same ?? there?.querySelector(`[data-act^="${kind} "]`) ?? at("list-heading")).focus();
  };
}

function row(item) {
  const id = String(item.item_id);
  const name = h("span", { class: "name" }, named(item));
  const words = h("p", { class: "muted small detail", "data-detail": id });
  const under = h("div", { class: "under" });
  const element = h("li", { class: added.has(id) ? "entry marked" : "entry", "data-item": id },
    h("div", { class: "rank" }, h("span", { class: "number" }, item.rank), moved(id, item.rank)),
    h("div", { class: "body" },
      h("p", { class: "title" }, name, item.cold ? badge("New") : null, added.has(id) ? badge("Just added", "plain") : null),
      words,
      h("div", { class: "acts" },
        opener(item, "why", "Why", under),
        opener(item, "similar", "Similar", under),
        act(item, "more", "Add to taste", "Add", () => addToTaste(id)),
        act(item, "not", "Not this one", "Not this one", () => exclude(id))),
      under));
  if (open.id === id) fill(under, item, open.part);
  return element;
}

/** Where the item stood in the list before. */
function moved(id, rank) {
  if (!before.length) return null;
  const old = before.indexOf(id) + 1;
  if (old === rank) return null;
  const [sign, words] = old === 0 ? ["●", "was not in the list"] : old > rank ? [`↑${old - rank}`, `up ${old - rank}`] : [`↓${rank - old}`, `down ${rank - old}`];
  return h("span", { class: old === 0 ? "moved entered" : "moved", title: words }, h("span", { "aria-hidden": "true" }, sign), hidden(words));
}

function act(item, kind, label, text, run) {
  return h("button", {
    type: "button", class: "quiet", "data-act": `${kind} ${item.item_id}`, "aria-label": `${label}: ${nameOf(item)}`, onclick: run,
  }, text);
}

/** A button that opens or closes a part under its item; one is open at a time. */
function opener(item, part, text, under) {
  const id = String(item.item_id);
  const button = act(item, part, text, text, () => {
    const close = open.id === id && open.part === part;
    for (const other of at("recommendations").querySelectorAll("[aria-expanded]")) other.setAttribute("aria-expanded", "false");
    for (const other of at("recommendations").querySelectorAll(".under")) other.replaceChildren();
    open = close ? { id: "", part: "" } : { id, part };
    button.setAttribute("aria-expanded", String(!close));
    if (!close) fill(under, item, part);
  });
  button.setAttribute("aria-expanded", String(open.id === id && open.part === part));
  return button;
}

async function fill(under, item, part) {
  try {
    const inner = part === "why" ? await explanation(item) : await similar(item);
    if (open.id !== String(item.item_id) || open.part !== part) return;
    under.replaceChildren(inner);
    if (under.isConnected) say(part === "why" ? under.querySelector("p").textContent : `${under.querySelectorAll("li").length} similar items`);
  } catch (error) {
    under.replaceChildren(h("p", { class: "muted" }, error.message));
  }
}

async function similar(item) {
  const answer = await ask("GET", itemPath(item.item_id, "/similar?k=6"));
  if (!answer.items.length) return h("p", { class: "muted" }, "Nothing has anything in common with it.");
  return h("div", { class: "note" }, h("h3", {}, "Similar items"), h("ul", { class: "plain-list" }, answer.items.map((each) =>
    h("li", { class: "pair-line" }, h("span", {}, named(each), " ", each.cold ? badge("New") : null),
      act(each, "similar-more", "Add to taste", "Add", () => addToTaste(each.item_id))))));
}

/** Values of the items, once they are known. */
async function details(answer, mine) {
  const items = await lookUp(answer.items.map((item) => item.item_id));
  if (mine !== running) return;
  for (const place of at("recommendations").querySelectorAll("[data-detail]")) {
    place.textContent = detail(items.get(place.dataset.detail));
  }
}

/** Where the items stand that were added here and are not in the list. */
async function showAdded(answer, mine) {
  const ids = [...added].filter((id) => !answer.items.some((item) => String(item.item_id) === id) && !state.excluded.includes(id) && !state.taste.includes(id));
  if (!ids.length) return at("just-added").replaceChildren();
  const longer = await ask("POST", "v1/recommend", request(FAR), { signal: mine.signal }).catch((error) => {
    if (error.status === 422) return { items: [] }; // the server's limit is lower
    throw error;
  });
  if (mine !== running) return undefined;
  const there = longer.items.filter((item) => ids.includes(String(item.item_id)));
  return at("just-added").replaceChildren(there.length
    ? h("div", { class: "note" }, h("h3", {}, "Just added, further down"), h("ul", { class: "plain-list" }, there.map((item) =>
      h("li", {}, named(item), " ", badge("New"), ` stands at place ${item.rank}`))))
    : "");
}

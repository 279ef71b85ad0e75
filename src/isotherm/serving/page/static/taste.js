// The taste: titles that one likes, and those that are not to be shown, as chips that can be removed.

import { lookUp } from "./catalogue.js";
import { at, h, hidden, nameOf, named, say, tell } from "./dom.js";
import { searchBox } from "./search.js";
import { addToTaste, allow, change, removeFromTaste, state } from "./state.js";

export function startTaste() {
  searchBox(at("search"), {
    id: "title-search",
    label: "Search titles",
    hint: "Type a few letters",
    isChosen: (item) => state.taste.includes(String(item.item_id)),
    pick: (item) => addToTaste(item.item_id),
  });
}

export async function showTaste() {
  const shown = { taste: [...state.taste], excluded: [...state.excluded], user: state.user };
  let items = new Map();
  try {
    items = await lookUp([...shown.taste, ...shown.excluded]);
  } catch (error) {
    tell(error);
  }
  if (shown.taste.join("\n") !== state.taste.join("\n") || shown.excluded.join("\n") !== state.excluded.join("\n")) return;
  const kept = document.activeElement?.dataset?.chip;
  const item = (id) => items.get(id) ?? { item_id: id, title: null };
  at("chips").replaceChildren(
    asUser(),
    group("You like", shown.taste, (id) => chip(item(id), "remove from the taste", () => removed(item(id), removeFromTaste))),
    group("Not these", shown.excluded, (id) => chip(item(id), "allow again", () => removed(item(id), allow))),
    shown.taste.length || shown.user ? "" : h("p", { class: "muted small" }, "Nothing is chosen yet: the list shows what most people click."),
  );
  if (kept) (document.querySelector(`[data-chip="${CSS.escape(kept)}"]`) ?? at("title-search")).focus();
}

function removed(item, remove) {
  remove(item.item_id);
  say(`${nameOf(item)} removed`);
  at("title-search").focus();
}

function group(name, ids, make) {
  if (!ids.length) return "";
  const clear = () => change(name === "You like" ? { taste: [] } : { excluded: [] });
  const button = h("button", { type: "button", class: "quiet small", onclick: clear }, "Clear", hidden(` ${name}`));
  const id = name === "You like" ? "chips-like" : "chips-not";
  return h("div", { class: "chips" },
    h("div", { class: "heading" }, h("h3", { id }, name), button),
    h("ul", { "aria-labelledby": id }, ids.map(make)));
}

function chip(item, what, remove) {
  return h("li", { class: "chip" }, named(item),
    h("button", { type: "button", class: "cross", "data-chip": `${what} ${item.item_id}`, onclick: remove },
      h("span", { "aria-hidden": "true" }, "×"), hidden(`${what}: `), h("span", { class: "hidden" }, named(item))));
}

function asUser() {
  if (!state.user) return "";
  return h("div", { class: "chips" }, h("h3", {}, "The list of a user"),
    h("ul", {}, h("li", { class: "chip" }, h("bdi", {}, state.user),
      h("button", { type: "button", class: "cross", onclick: () => change({ user: "" }) },
        h("span", { "aria-hidden": "true" }, "×"), hidden("leave the list of this user")))));
}

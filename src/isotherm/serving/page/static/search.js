// A box that suggests items as one types, by the combobox pattern of ARIA: arrows, Enter, Escape.

import { ask } from "./api.js";
import { remember } from "./catalogue.js";
import { badge, detail, h, later, named, plural, say, tell } from "./dom.js";

/**
 * Fill a place with the box.
 * id: of its parts.  label, hint: shown.  pick(item): what happens to a chosen one.
 * isChosen(item): whether it is marked.  unavailable: whether hidden items are found, too.
 */
export function searchBox(place, { id, label, hint, pick, isChosen = () => false, unavailable = false }) {
  let found = [];
  let active = -1;
  let running = null;
  let all = unavailable;
  let isAwaited = false; // Enter came before the answer to what is typed
  const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-label": label, hidden: true });
  const input = h("input", {
    id, type: "text", role: "combobox", enterkeyhint: "search", autocomplete: "off", spellcheck: "false", maxlength: 200,
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id, placeholder: hint,
  });

  const typed = () => input.value.trim();
  const isCurrent = () => list.dataset.query === typed();

  function close() {
    list.hidden = true;
    active = -1;
    isAwaited = false;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function activate(next) {
    active = next;
    [...list.children].forEach((option, n) => option.setAttribute("aria-selected", n === active));
    if (active < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[active].id);
    return list.children[active].scrollIntoView({ block: "nearest" });
  }

  function choose(item) {
    running?.abort();
    input.value = "";
    close();
    pick(item);
  }

  function show(answer, query) {
    const before = active < 0 ? undefined : found[active].item_id;
    found = answer.items;
    list.dataset.query = query;
    remember(found.filter((item) => item.available));
    list.replaceChildren(...found.map((item, n) =>
      h("li", {
        id: `${id}-${n}`, role: "option", "aria-selected": "false",
        onmousedown: (event) => event.preventDefault(), onclick: () => choose(item),
      },
      h("span", { class: "name" }, named(item), isChosen(item) ? " ✓" : ""),
      item.available ? null : badge("not shown", "plain"),
      item.cold ? badge("New") : null,
      h("span", { class: "muted small" }, detail(item, 3)))));
    if (!found.length) list.append(h("li", { class: "muted", role: "presentation" }, "No title fits."));
    list.hidden = false;
    input.setAttribute("aria-expanded", found.length > 0);
    activate(found.findIndex((item) => item.item_id === before)); // a late answer takes no choice away
    if (isAwaited && isCurrent()) {
      isAwaited = false;
      if (found.length) return choose(found[Math.max(0, active)]);
    }
    return say(answer.found ? `${plural(answer.found, "title")}, ${found.length} shown; arrows choose` : "No title fits");
  }

  async function search() {
    running?.abort();
    const mine = (running = new AbortController());
    const sought = typed();
    const query = new URLSearchParams({ query: sought, k: 8 });
    if (all) query.set("unavailable", "true");
    try {
      const answer = await ask("GET", `v1/items?${query}`, undefined, { signal: mine.signal });
      if (mine === running && document.activeElement === input) show(answer, sought);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401 && all) {
        all = false; // without the token: what everybody may see
        input.focus();
        search();
      } else tell(error);
    }
  }

  const searchSoon = later(90, search);
  input.addEventListener("input", () => (typed() ? searchSoon() : (running?.abort(), close())));
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const last = found.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return search();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (last >= 0) activate(active < 0 ? (step > 0 ? 0 : last) : (active + step + last + 1) % (last + 1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden && active >= 0) choose(found[active]);
      else if (typed() && !isCurrent()) isAwaited = true; // what stands there answers an earlier word
      else if (!list.hidden && last >= 0) choose(found[0]);
    } else if (event.key === "Escape") {
      if (list.hidden) input.value = "";
      else event.preventDefault();
      running?.abort();
      close();
    }
    return undefined;
  });
  place.replaceChildren(h("div", { class: "search" }, h("label", { for: id }, label), input, list));
  return input;
}

// Making elements. Titles are data: they become text and nothing else, isolated from the text around them.

const LONGEST = 160; // letters of a title that are shown

/** An element with attributes, listeners (onclick: function) and children (text or elements). */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Long text cut off, between letters. */
export function clipped(text, most = LONGEST) {
  const letters = Array.from(String(text).slice(0, 2 * most + 2));
  return letters.length > most ? `${letters.slice(0, most).join("")}…` : letters.join("");
}

/** What an item is called: its title, else its id. */
export function nameOf(item) {
  const title = item.title === null || item.title === undefined ? "" : String(item.title);
  return clipped(title.trim() ? title : `item ${item.item_id}`);
}

/** The name of an item, whatever the direction in which it is written. */
export function named(item) {
  return h("bdi", {}, nameOf(item));
}

/** A sentence that holds titles: marks that would turn what follows are left out. */
export function sentence(text, most = 600) {
  return clipped(String(text).replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, ""), most);
}

/** A few values of an item in one line: Drama · 1994. */
export function detail(item, most = 4) {
  if (!item) return "";
  const values = Object.values(item.values ?? {}).flatMap((list) => list.slice(0, 3)).slice(0, most);
  const numbers = Object.values(item.numbers ?? {}).filter((value) => value !== null).map(String);
  return [...values, ...numbers.slice(0, 1)].map((value) => clipped(value, 40)).join(" · ");
}

export const badge = (text, kind = "") => h("span", { class: `badge ${kind}` }, text);
export const hidden = (text) => h("span", { class: "hidden" }, text);
export const at = (id) => document.getElementById(id);

const formats = {
  whole: new Intl.NumberFormat("en"),
  tenth: new Intl.NumberFormat("en", { maximumFractionDigits: 1 }),
};
/** A number as it is read: 4.2, or 150. */
export const tenths = (value) => (value < 10 ? formats.tenth : formats.whole).format(value < 10 ? value : Math.round(value));
export const whole = (value) => formats.whole.format(value);
export const plural = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;

/** A share in percent. */
export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "<0.1%";
  return `${value < 10 ? formats.tenth.format(value) : formats.whole.format(Math.round(value))}%`;
}

/** Seconds in words: 3 min. */
export function duration(seconds) {
  const steps = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [size, unit] of steps) if (seconds >= size) return `${formats.tenth.format(seconds / size)} ${unit}`;
  return `${Math.round(seconds)} s`;
}

/** A bar of a share in [0, 1]; the number stands beside it. */
export function bar(share) {
  const inner = h("span", { class: "bar-inner" });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, inner);
}

/** Run a function once it was not called again for some milliseconds. */
export function later(milliseconds, run) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...args), milliseconds);
  };
}

/** Tell a screen reader. */
export function say(text) {
  at("status").textContent = text;
}

/** What went wrong and what helps. */
export const wordsOf = (error) => sentence(error.cure ? `${error.message}: ${error.cure}` : error.message);

/** Show what went wrong and what helps; nothing takes it away. */
export function tell(error) {
  const box = at("alert");
  if (!error) return box.replaceChildren();
  const close = h("button", { type: "button", class: "quiet", onclick: () => tell(null) }, "Close");
  return box.replaceChildren(h("div", { class: "alert" }, h("p", {}, wordsOf(error)), close));
}

// How many new items, how varied, how long; which values of fields.

import { at, clipped, h, later, whole } from "./dom.js";
import { change, state } from "./state.js";

const SHOWN = 12; // values of a field that can be ticked; others are typed

/** Build the form once the fields are known. */
export function startSettings(fields) {
  const form = at("settings");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.replaceChildren(
    h("fieldset", { class: "pair" }, h("legend", {}, "New items in the list"),
      numberField("least", "at least", { min: 0, max: 100, placeholder: "0" }),
      numberField("most", "at most", { min: 0, max: 100, placeholder: "any" })),
    diversityField(),
    lengthField(),
    ...fields.filter(canFilter).map(fieldFilter),
    h("p", {}, h("button", { type: "button", id: "clear-filters", class: "quiet", onclick: () => change({ filters: {}, ranges: {} }) }, "Clear all filters")),
  );
  at("settings-part").open = matchMedia("(min-width: 760px)").matches;
  showSettings();
}

const canFilter = (field) => field.values.length > 0 || field.min !== null;
const changeSoon = later(150, (part) => change(part));

function numberField(name, label, attributes) {
  const id = `setting-${name}`;
  const read = (event) => {
    const text = event.target.value;
    const value = Math.min(100, Math.max(0, Math.round(Number(text) || 0)));
    changeSoon({ [name]: text === "" ? (name === "most" ? "" : 0) : value });
  };
  return h("p", { class: "field" }, h("label", { for: id }, label),
    h("input", { id, type: "number", inputmode: "numeric", oninput: read, ...attributes }));
}

function diversityField() {
  const told = h("output", { id: "diversity-told", for: "setting-diversity" });
  const read = (event) => {
    tellDiversity(Number(event.target.value));
    changeSoon({ diversity: Number(event.target.value) });
  };
  return h("p", { class: "field" },
    h("span", { class: "heading" }, h("label", { for: "setting-diversity" }, "Diversity"), told),
    h("input", { id: "setting-diversity", type: "range", min: 0, max: 1, step: 0.05, oninput: read }));
}

function tellDiversity(value) {
  at("diversity-told").textContent = value === 0 ? "as the model ranks" : value.toFixed(2);
}

function lengthField() {
  const options = [5, 10, 20, 50, 100].map((n) => h("option", { value: n }, whole(n)));
  return h("p", { class: "field row" }, h("label", { for: "setting-k" }, "Length of the list"),
    h("select", { id: "setting-k", onchange: (event) => change({ k: Number(event.target.value) }) }, options));
}

/** A part that opens: the values or the range of a field. */
function fieldFilter(field, n) {
  const id = `filter-${n}`;
  const inner = field.values.length ? valuesFilter(field, id) : rangeFilter(field, id);
  const chosen = h("span", { class: "count", "data-count": field.name });
  return h("details", { class: "filter" }, h("summary", {}, h("bdi", {}, clipped(field.name.replaceAll("_", " "), 40)), chosen), inner);
}

function valuesFilter(field, id) {
  const box = h("div", { class: "pills", role: "group", "aria-label": field.name, "data-values": field.name });
  const toggle = (value) => {
    const chosen = state.filters[field.name] ?? [];
    const next = chosen.includes(value) ? chosen.filter((each) => each !== value) : [...chosen, value];
    change({ filters: { ...state.filters, [field.name]: next } });
  };
  box.fill = () => {
    const chosen = state.filters[field.name] ?? [];
    const offered = field.values.slice(0, field.values.length <= 2 * SHOWN ? 2 * SHOWN : SHOWN).map(({ value }) => value);
    const focused = document.activeElement?.value;
    const within = box.contains(document.activeElement);
    box.replaceChildren(...[...new Set([...offered, ...chosen])].map((value) =>
      h("label", { class: "pill" },
        h("input", { type: "checkbox", value, checked: chosen.includes(value), onchange: () => toggle(value) }),
        h("bdi", {}, clipped(value, 40)))));
    if (within) [...box.querySelectorAll("input")].find((input) => input.value === focused)?.focus();
  };
  box.fill();
  if (field.values.length <= 2 * SHOWN) return box;
  const others = h("datalist", { id: `${id}-others` }, field.values.slice(SHOWN).map(({ value }) => h("option", { value })));
  const add = (event) => {
    if (event.key !== "Enter" || !event.target.value.trim()) return;
    event.preventDefault();
    const value = event.target.value.trim();
    event.target.value = "";
    if (!(state.filters[field.name] ?? []).includes(value)) toggle(value);
  };
  const input = h("input", { id, list: others.id, maxlength: 200, placeholder: "another value, then Enter", onkeydown: add });
  return h("div", {}, box, h("label", { for: id, class: "hidden" }, `Another value of ${field.name}`), input, others);
}

function rangeFilter(field, id) {
  const bound = (which, label) => {
    const read = (event) => {
      const text = event.target.value;
      const range = { min: "", max: "", ...state.ranges[field.name], [which]: text === "" || field.is_date ? text : Number(text) };
      changeSoon({ ranges: { ...state.ranges, [field.name]: range } });
    };
    const bounds = field.is_date ? { type: "date" } : { type: "number", step: "any", placeholder: field[which] };
    return h("p", { class: "field" }, h("label", { for: `${id}-${which}` }, label),
      h("input", { id: `${id}-${which}`, "data-range": JSON.stringify([field.name, which]), oninput: read, ...bounds }));
  };
  return h("div", { class: "pair" }, bound("min", "from"), bound("max", "to"));
}

/** Let the form say what the state says. */
export function showSettings() {
  const form = at("settings");
  if (!form.children.length) return;
  set("setting-least", state.least || "");
  set("setting-most", state.most);
  set("setting-diversity", state.diversity);
  tellDiversity(state.diversity);
  const select = at("setting-k");
  if (![...select.options].some((option) => Number(option.value) === state.k)) select.append(h("option", { value: state.k }, whole(state.k)));
  select.value = state.k;
  for (const box of form.querySelectorAll("[data-values]")) box.fill();
  for (const input of form.querySelectorAll("[data-range]")) {
    const [field, which] = JSON.parse(input.dataset.range);
    if (document.activeElement !== input) input.value = state.ranges[field]?.[which] ?? "";
  }
  for (const mark of form.querySelectorAll("[data-count]")) {
    const n = nSet(mark.dataset.count);
    mark.textContent = n ? `${n} set` : "";
  }
  at("clear-filters").hidden = ![...Object.keys(state.filters), ...Object.keys(state.ranges)].some(nSet);
}

/** Conditions on a field, also of one that the address names and the model does not know. */
function nSet(field) {
  const range = Object.values(state.ranges[field] ?? {}).filter((value) => value !== "").length;
  return (state.filters[field] ?? []).length + range;
}

function set(id, value) {
  if (document.activeElement !== at(id)) at(id).value = value;
}

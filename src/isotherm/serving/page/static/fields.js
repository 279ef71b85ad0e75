// One control for each kind of field of a new item.

import { clipped, h, hidden } from "./dom.js";

const KINDS = ["text", "number", "categories", "tags"]; // that can be typed

/**
 * A control: {element, value(), clear()}; null for a kind that cannot be typed.
 * id: of the input.  label: shown.  required: whether it must be filled.
 */
export function control(field, { id, label, required = false }) {
  if (!KINDS.includes(field.kind)) return null;
  if (field.kind === "categories" || field.kind === "tags") return valuesControl(field, id, label);
  const input = field.kind === "number"
    ? h("input", { id, ...(field.is_date ? { type: "date" } : { type: "number", step: "any" }) })
    : required ? h("input", { id, type: "text", required: true, autocomplete: "off" }) : h("textarea", { id, rows: 2 });
  return {
    element: h("p", { class: "field" }, h("label", { for: id }, label, required ? " (needed)" : ""), input),
    clear: () => (input.value = ""),
    value() {
      const text = input.value.trim();
      if (!text) return null;
      return field.kind === "number" && !field.is_date ? Number(text) : text;
    },
  };
}

/** Values as chips: typed, or chosen from the most frequent ones. */
function valuesControl(field, id, label) {
  let chosen = [];
  const list = h("ul", { "aria-label": label });
  const others = h("datalist", { id: `${id}-known` }, field.values.map(({ value }) => h("option", { value })));
  const told = `${id}-told`;
  const input = h("input", { id, list: others.id, maxlength: 500, autocomplete: "off", "aria-describedby": told });

  function draw() {
    list.replaceChildren(...chosen.map((value) => h("li", { class: "chip" }, h("bdi", {}, clipped(value, 60)),
      h("button", { type: "button", class: "cross", onclick: () => set(chosen.filter((each) => each !== value)) },
        h("span", { "aria-hidden": "true" }, "×"), hidden("remove "), h("bdi", { class: "hidden" }, clipped(value, 60))))));
  }

  function set(values) {
    chosen = values;
    draw();
    input.focus();
    input.dispatchEvent(new Event("changed", { bubbles: true }));
  }

  function add() {
    const value = input.value.trim();
    input.value = "";
    if (value) set([...new Set([...chosen, value])]);
  }

  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || (event.key === "," && input.value.trim())) {
      event.preventDefault();
      add();
    } else if (event.key === "Backspace" && !input.value && chosen.length) set(chosen.slice(0, -1));
  });
  // What is chosen from the suggestions comes at once, without a key.
  input.addEventListener("input", (event) => {
    const whole = event.inputType === undefined || event.inputType === "insertReplacementText";
    if (whole && field.values.some(({ value }) => value === input.value)) add();
  });
  return {
    element: h("div", { class: "field chips" }, h("label", { for: id }, label), list, input, others,
      h("span", { id: told, class: "muted small" }, "Enter adds a value")),
    clear() {
      chosen = [];
      input.value = "";
      draw();
    },
    value() {
      const typed = input.value.trim();
      const all = typed ? [...new Set([...chosen, typed])] : chosen;
      return all.length ? all : null;
    },
  };
}

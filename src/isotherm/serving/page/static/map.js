// The map: items that the same people click are near. A canvas, with a list beside it that says the same.

import { ask } from "./api.js";
import { at, badge, clipped, h, named, plural, say, tell, whole } from "./dom.js";
import { addToTaste, state } from "./state.js";

const COLOURS = 7;
const NEAR = 14; // pixels within which a point is meant
const NEAREST = 8; // items of the list beside the map

let data = null; // the answer of /v1/map
let rows = new Map(); // id as text -> place in the data
let listed = []; // places of the recommended items
let view = { x: 0, y: 0, zoom: 1 };
let pointed = -1; // the point under the mouse or the keyboard
let only = -1; // the value that alone is shown in colour, -1 for all
let field = null;
let dragged = null;
let canvas = null;
let spots = { width: 0, height: 0, x: [], y: [] }; // where the items are on the canvas, in pixels
let ground = null; // all items drawn, without the label

export async function startMap(fields) {
  [field, only, pointed] = [null, -1, -1];
  view = { x: 0, y: 0, zoom: 1 };
  canvas = h("canvas", {
    id: "map-canvas", tabindex: 0, role: "application", "aria-roledescription": "map of items", "aria-label": "Map of items: arrows go to the next item, Enter adds it to the taste", "aria-describedby": "map-told",
  });
  const valued = fields.filter((each) => each.values.length);
  const choose = h("select", { id: "map-field", onchange: (event) => ((field = event.target.value), refreshMap()) },
    valued.map((each) => h("option", { value: each.name }, clipped(each.name.replaceAll("_", " "), 40))));
  at("map-body").replaceChildren(
    h("div", { class: "heading" },
      valued.length ? h("p", { class: "field row" }, h("label", { for: "map-field" }, "Colour by"), choose) : h("span"),
      h("div", { class: "acts", role: "group", "aria-label": "Zoom" },
        zoomer("−", "Zoom out", 1 / 1.6), zoomer("+", "Zoom in", 1.6),
        h("button", { type: "button", class: "quiet", onclick: () => look({ x: 0, y: 0, zoom: 1 }) }, "All"))),
    canvas,
    h("p", { id: "map-pointed", class: "small" }),
    h("ul", { id: "legend", class: "legend" }),
    h("p", { id: "map-told", class: "muted small" }),
    h("details", {}, h("summary", {}, "The map in words"), h("div", { id: "map-words" })));
  listen();
  await refreshMap();
}

/** Ask for the map anew: items or the field were changed. */
export async function refreshMap() {
  if (!canvas) return;
  try {
    const query = field === null ? "" : `?${new URLSearchParams({ field })}`;
    data = await ask("GET", `v1/map${query}`);
  } catch (error) {
    tell(error);
    return;
  }
  rows = new Map(data.item_ids.map((id, n) => [String(id), n]));
  listed = listed.filter((n) => n < data.item_ids.length);
  [pointed, only] = [-1, -1];
  if (data.field !== null && at("map-field")) at("map-field").value = data.field;
  legend();
  drawMap(lastItems);
}

let lastItems = [];

/** Show where the items of a new list are. */
export function drawMap(items) {
  lastItems = items;
  if (!data) return;
  listed = items.map((item) => rows.get(String(item.item_id))).filter((n) => n !== undefined);
  draw();
  words();
}

function legend() {
  const buttons = data.values.map((value, n) => h("li", {}, h("button", {
    type: "button", class: "quiet", "aria-pressed": "false", onclick: (event) => {
      only = only === n ? -1 : n;
      for (const each of at("legend").querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === event.currentTarget && only === n));
      draw();
    },
  }, h("span", { class: `dot c${n % COLOURS}`, "aria-hidden": "true" }), h("bdi", {}, clipped(value, 24)))));
  at("legend").replaceChildren(...buttons, h("li", { class: "key" }, h("span", { class: "dot ring", "aria-hidden": "true" }), "new"),
    h("li", { class: "key" }, h("span", { class: "dot liked", "aria-hidden": "true" }), "your taste"), h("li", { class: "key" }, h("span", { class: "dot listed", "aria-hidden": "true" }), "recommended"));
  const more = data.items - data.item_ids.length;
  const n = data.cold.filter(Boolean).length;
  at("map-told").textContent = `${plural(data.item_ids.length, "item")}, ${whole(n)} new.${more > 0 ? ` ${whole(more)} are not on it.` : ""} Items that the same people click are near; new ones stand by their metadata.`;
}

/** The items nearest to the taste, or to the recommended ones, as a list. */
function words() {
  const liked = state.taste.map((id) => rows.get(id)).filter((n) => n !== undefined);
  const from = liked.length ? liked : listed;
  if (!from.length) return at("map-words").replaceChildren(h("p", { class: "muted" }, "Nothing is marked on the map."));
  const distance = (n) => Math.min(...from.map((m) => (data.x[n] - data.x[m]) ** 2 + (data.y[n] - data.y[m]) ** 2));
  const near = data.item_ids.map((_, n) => n).filter((n) => !from.includes(n)).map((n) => [distance(n), n]).sort((a, b) => a[0] - b[0]).slice(0, NEAREST);
  return at("map-words").replaceChildren(h("h3", {}, liked.length ? "Nearest to your taste" : "Nearest to the recommended items"),
    h("ul", { class: "plain-list" }, near.map(([, n]) => h("li", { class: "pair-line" }, h("span", {}, ...told(n)),
      h("button", { type: "button", class: "quiet", "aria-label": `Add to taste: ${clipped(data.titles[n] ?? data.item_ids[n])}`, onclick: () => addToTaste(data.item_ids[n]) }, "Add")))));
}

function told(n) {
  const item = { item_id: data.item_ids[n], title: data.titles[n] };
  const value = data.value[n] < 0 ? "" : ` · ${clipped(data.values[data.value[n]], 24)}`;
  return [named(item), h("span", { class: "muted" }, value), " ", data.cold[n] ? badge("New") : ""];
}

/* Drawing */

const placed = (n) => [spots.x[n], spots.y[n]];

function place() {
  const { clientWidth: width, clientHeight: height } = canvas;
  const half = (Math.min(width, height) / 2 - 10) * view.zoom;
  const x = Float32Array.from(data.x, (value) => width / 2 + (value - view.x) * half);
  const y = Float32Array.from(data.y, (value) => height / 2 - (value - view.y) * half);
  spots = { width, height, x, y };
}

function colour(name) {
  return getComputedStyle(canvas).getPropertyValue(`--${name}`).trim();
}

/** A canvas of this size, and what paints on it, in pixels of the page. */
function sized(element) {
  const scale = window.devicePixelRatio || 1;
  [element.width, element.height] = [spots.width * scale, spots.height * scale];
  const paint = element.getContext("2d");
  paint.scale(scale, scale);
  return paint;
}

function draw() {
  if (!data || !canvas?.clientWidth) return;
  place();
  ground = document.createElement("canvas");
  drawItems(sized(ground));
  drawPointed();
}

/** The label of the pointed item over all that is drawn already. */
function drawPointed() {
  if (!ground) return;
  const paint = sized(canvas);
  paint.drawImage(ground, 0, 0, spots.width, spots.height);
  if (pointed >= 0) label(paint, pointed);
}

function drawItems(paint) {
  const { width, height } = spots;
  const colours = Array.from({ length: COLOURS }, (_, n) => colour(`c${n}`));
  const [other, text] = [colour("other"), colour("text")];
  const radius = Math.min(4, (data.item_ids.length > 5000 ? 1.4 : 2.2) * Math.sqrt(view.zoom));
  for (const n of data.item_ids.keys()) {
    const [x, y] = placed(n);
    if (x < -5 || y < -5 || x > width + 5 || y > height + 5) continue;
    const strong = only < 0 || data.value[n] === only;
    paint.globalAlpha = strong ? 0.75 : 0.12;
    paint.fillStyle = data.value[n] < 0 ? other : colours[data.value[n] % COLOURS];
    circle(paint, x, y, radius);
    paint.fill();
    if (data.cold[n]) {
      paint.strokeStyle = text;
      paint.lineWidth = 0.8;
      circle(paint, x, y, radius + 1.6);
      paint.stroke();
    }
  }
  paint.globalAlpha = 1;
  for (const n of listed) ringed(paint, n, colour("accent"), colour("surface"), false);
  for (const id of state.taste) if (rows.has(id)) ringed(paint, rows.get(id), colour("accent"), colour("surface"), true);
}

function circle(paint, x, y, radius) {
  paint.beginPath();
  paint.arc(x, y, radius, 0, 2 * Math.PI);
}

/** A recommended item is a ring, one of the taste a full disc. */
function ringed(paint, n, accent, surface, full) {
  const [x, y] = placed(n);
  circle(paint, x, y, full ? 6 : 5);
  paint.lineWidth = full ? 2 : 5;
  paint.strokeStyle = surface;
  paint.stroke();
  paint.fillStyle = accent;
  if (full) return paint.fill();
  paint.lineWidth = 2.2;
  paint.strokeStyle = accent;
  return paint.stroke();
}

function label(paint, n) {
  const [x, y] = placed(n);
  paint.strokeStyle = colour("text");
  paint.lineWidth = 2;
  circle(paint, x, y, 8);
  paint.stroke();
  // Isolated, so that a title written from right to left stays where it is.
  const text = `\u2068${clipped(data.titles[n] ?? `item ${data.item_ids[n]}`, 40)}\u2069`;
  paint.font = "600 13px sans-serif";
  const wide = paint.measureText(text).width + 12;
  const left = Math.min(Math.max(2, x - wide / 2), spots.width - wide - 2);
  const top = y > 40 ? y - 36 : y + 14;
  paint.fillStyle = colour("text");
  paint.fillRect(left, top, wide, 22);
  paint.fillStyle = colour("surface");
  paint.textAlign = "left";
  paint.fillText(text, left + 6, top + 15);
}

/* Mouse, fingers and keys */

function point(n) {
  if (n === pointed) return;
  pointed = n;
  at("map-pointed").replaceChildren(...(n < 0 ? [] : told(n)));
  drawPointed();
}

function nearest(x, y) {
  let [best, least] = [-1, NEAR ** 2];
  for (const n of data?.item_ids.keys() ?? []) {
    const [px, py] = placed(n);
    const far = (px - x) ** 2 + (py - y) ** 2;
    if (far < least) [best, least] = [n, far];
  }
  return best;
}

function listen() {
  canvas.addEventListener("pointermove", (event) => {
    if (dragged) drag(event);
    else if (event.pointerType === "mouse") point(nearest(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointerleave", () => !dragged && point(-1));
  canvas.addEventListener("pointerdown", (event) => {
    dragged = { x: event.offsetX, y: event.offsetY, from: { ...view }, far: false };
    if (view.zoom > 1) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointercancel", () => (dragged = null));
  canvas.addEventListener("pointerup", (event) => {
    const moved = dragged?.far;
    dragged = null;
    if (!moved) pick(nearest(event.offsetX, event.offsetY), event.pointerType);
  });
  canvas.addEventListener("keydown", onKey);
  canvas.addEventListener("blur", () => point(-1));
  new ResizeObserver(draw).observe(canvas);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());

function drag(event) {
  const half = (Math.min(spots.width, spots.height) / 2 - 10) * view.zoom;
  const [dx, dy] = [event.offsetX - dragged.x, event.offsetY - dragged.y];
  dragged.far ||= Math.hypot(dx, dy) > 5;
  if (dragged.far && view.zoom > 1) look({ ...view, x: dragged.from.x - dx / half, y: dragged.from.y + dy / half });
}

/** A click adds; a finger shows the title first, and adds at the second touch. */
function pick(n, by) {
  if (n < 0) return point(-1);
  if (by === "touch" && n !== pointed) return point(n);
  return addToTaste(data.item_ids[n]);
}

function onKey(event) {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === "Enter" && pointed >= 0) addToTaste(data.item_ids[pointed]);
  else if (event.key === "Escape") point(-1);
  else if (event.key === "+" || event.key === "=") zoom(1.6);
  else if (event.key === "-") zoom(1 / 1.6);
  else if (ways[event.key] && data?.item_ids.length) {
    step(...ways[event.key]);
    say(at("map-pointed").textContent);
  } else return;
  event.preventDefault();
}

/** Go to the next item in a direction: near, and not far to the side. */
function step(dx, dy) {
  if (pointed < 0) return point(listed[0] ?? nearestOf([spots.width / 2, spots.height / 2], () => true));
  const [x, y] = placed(pointed);
  const along = (n) => (placed(n)[0] - x) * dx + (placed(n)[1] - y) * dy;
  const aside = (n) => Math.abs((placed(n)[0] - x) * dy) + Math.abs((placed(n)[1] - y) * dx);
  const next = nearestOf([x, y], (n) => along(n) > 0.5 && aside(n) <= along(n));
  return next < 0 ? undefined : point(next);
}

function nearestOf([x, y], allowed) {
  let [best, least] = [-1, Infinity];
  for (const n of data.item_ids.keys()) {
    const [px, py] = placed(n);
    const far = (px - x) ** 2 + (py - y) ** 2;
    if (n !== pointed && far < least && allowed(n)) [best, least] = [n, far];
  }
  return best;
}

const zoomer = (sign, name, by) => h("button", { type: "button", class: "quiet", "aria-label": name, onclick: () => zoom(by) }, sign);

function zoom(by) {
  const wide = Math.min(12, Math.max(1, view.zoom * by));
  const marked = pointed >= 0 ? [pointed] : state.taste.map((id) => rows.get(id)).filter((n) => n !== undefined);
  const middle = (axis) => marked.reduce((total, n) => total + axis[n], 0) / marked.length;
  const centre = view.zoom === 1 && by > 1 && marked.length ? { x: middle(data.x), y: middle(data.y) } : view;
  look(wide === 1 ? { x: 0, y: 0, zoom: 1 } : { x: centre.x, y: centre.y, zoom: wide });
}

function look(next) {
  view = next;
  draw();
}

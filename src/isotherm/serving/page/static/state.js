// What the list depends on. It is kept in the address behind #, so that it can be shared and survives a reload.

const MOST = 200; // ids in an address

export const state = fresh();
const listeners = [];

function fresh() {
  return { taste: [], user: "", excluded: [], k: 10, diversity: 0, least: 0, most: "", filters: {}, ranges: {} };
}

/** Call a function now and at each change. */
export function onChange(run) {
  listeners.push(run);
}

/** Change some of it. */
export function change(part) {
  Object.assign(state, part);
  history.replaceState(null, "", `#${written()}`);
  for (const run of listeners) run(state);
}

/** Read the address. */
export function readAddress() {
  Object.assign(state, fresh(), read(location.hash.slice(1)));
  for (const run of listeners) run(state);
}

export function addToTaste(id) {
  const known = String(id);
  if (!state.taste.includes(known)) {
    const excluded = state.excluded.filter((each) => each !== known);
    change({ taste: [...state.taste, known].slice(-MOST), user: "", excluded });
  }
}

export function removeFromTaste(id) {
  change({ taste: state.taste.filter((each) => each !== String(id)) });
}

export function exclude(id) {
  change({ excluded: [...new Set([...state.excluded, String(id)])].slice(-MOST) });
}

export function allow(id) {
  change({ excluded: state.excluded.filter((each) => each !== String(id)) });
}

/** Who asks, as the server wants it. */
export function asker() {
  return state.user ? { user: state.user } : { history: state.taste };
}

/** A request for k items. */
export function request(k = state.k) {
  const filters = {};
  for (const [field, values] of Object.entries(state.filters)) if (values.length) filters[field] = values;
  for (const [field, range] of Object.entries(state.ranges)) {
    const bounds = Object.fromEntries(Object.entries(range).filter(([, value]) => value !== ""));
    if (Object.keys(bounds).length) filters[field] = bounds;
  }
  const least = Math.min(state.least, k);
  const most = state.most === "" ? null : Math.max(least, Number(state.most));
  return {
    ...asker(), k, exclude: state.excluded, filters, diversity: state.diversity, cold: { min: least, max: most },
  };
}

function written() {
  const all = new URLSearchParams();
  for (const id of state.taste) all.append("like", id);
  for (const id of state.excluded) all.append("not", id);
  if (state.user) all.set("user", state.user);
  if (state.k !== 10) all.set("k", state.k);
  if (state.diversity) all.set("diversity", state.diversity);
  if (state.least) all.set("least", state.least);
  if (state.most !== "") all.set("most", state.most);
  for (const [field, values] of Object.entries(state.filters)) for (const value of values) all.append("is", JSON.stringify([field, value]));
  for (const [field, { min = "", max = "" }] of Object.entries(state.ranges)) {
    if (min !== "" || max !== "") all.append("within", JSON.stringify([field, min, max]));
  }
  return all.toString();
}

function read(text) {
  const all = new URLSearchParams(text);
  const found = { taste: unique(all.getAll("like")), excluded: unique(all.getAll("not")), filters: {}, ranges: {} };
  found.user = all.get("user") ?? "";
  found.k = between(all.get("k"), 1, 100, 10, Math.round);
  found.diversity = between(all.get("diversity"), 0, 1, 0);
  found.least = between(all.get("least"), 0, found.k, 0, Math.round);
  found.most = all.has("most") ? between(all.get("most"), 0, 100, "", Math.round) : "";
  for (const [field, value] of lists(all.getAll("is"), 2)) (found.filters[field] ??= []).push(value);
  for (const [field, min, max] of lists(all.getAll("within"), 3)) found.ranges[field] = { min, max };
  return found;
}

const unique = (ids) => [...new Set(ids.filter(Boolean))].slice(0, MOST);

function between(text, low, high, other, round = (value) => value) {
  const value = Number(text);
  return text === null || text === "" || !Number.isFinite(value) ? other : Math.min(high, Math.max(low, round(value)));
}

/** Lists of so many texts and numbers; what is none is passed over. */
function lists(texts, length) {
  return texts.flatMap((text) => {
    try {
      const list = JSON.parse(text);
      const fits = Array.isArray(list) && list.length === length && typeof list[0] === "string";
      return fits && list.every((each) => ["string", "number"].includes(typeof each)) ? [list] : [];
    } catch {
      return [];
    }
  });
}

// What is known of single items, asked for once.

import { ask } from "./api.js";

const known = new Map();

/** The items of these ids, id as text -> item; unknown and unavailable ones are missing. */
export async function lookUp(ids) {
  const wanted = [...new Set(ids.map(String))].filter((id) => !known.has(id));
  for (let first = 0; first < wanted.length; first += 50) {
    const some = wanted.slice(first, first + 50);
    const query = new URLSearchParams(some.map((id) => ["item_id", id]));
    const answer = await ask("GET", `v1/items?${query}`);
    for (const id of some) known.set(id, null);
    for (const item of answer.items) known.set(String(item.item_id), item);
  }
  return new Map(ids.map((id) => [String(id), known.get(String(id))]).filter(([, item]) => item));
}

/** What was found on the way. */
export function remember(items) {
  for (const item of items) known.set(String(item.item_id), item);
}

/** An item was changed: ask anew. */
export function forget(id) {
  known.delete(String(id));
}

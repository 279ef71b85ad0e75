// Asking the server. Addresses are relative, so that the page works under any prefix of a proxy.

import { h } from "./dom.js";

const TOKEN = "isotherm-token";
const MOST_WAITS = 3; // of a request that is too many for the moment
const seconds = (n) => new Promise((done) => setTimeout(done, 1000 * n));

/** What the server refused, in its words. */
export class Refused extends Error {
  constructor(status, answer) {
    super(answer.where ? `${answer.where}: ${answer.error}` : answer.error);
    this.status = status;
    this.cure = answer.cure;
  }
}

/** The answer as an object. Asks for the token where one is needed; throws Refused. */
export async function ask(method, path, body, { signal, interactive = true } = {}) {
  for (let patience = MOST_WAITS; ; ) {
    const token = sessionStorage.getItem(TOKEN);
    const response = await send(method, path, body, signal, token);
    const text = await response.text();
    if (response.ok) return response.headers.get("content-type")?.startsWith("application/json") ? parsed(text) : text;
    const refused = new Refused(response.status, answerOf(text, response.status));
    if (response.status === 429 && patience > 0) {
      patience -= 1;
      await seconds(Math.min(10, Number(response.headers.get("retry-after")) || 1));
      if (signal?.aborted) throw new DOMException("not wanted any more", "AbortError");
      continue;
    }
    if (response.status !== 401 || !interactive) throw refused;
    if (sessionStorage.getItem(TOKEN) !== token) continue; // it was given meanwhile
    sessionStorage.removeItem(TOKEN);
    if (!(await askForToken())) throw refused;
  }
}

export const itemPath = (id, rest = "") => `v1/items/${encodeURIComponent(id)}${rest}`;

async function send(method, path, body, signal, token) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { error: "The server does not answer", cure: "is it running?" });
  }
}

/** JSON, with whole numbers that JavaScript cannot hold kept as text: ids have up to 64 bits. */
function parsed(text) {
  return JSON.parse(text, (key, value, context) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source
      ? context.source
      : value,
  );
}

function answerOf(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return { error: `The server answered ${status}`, cure: "its log tells more" };
  }
}

let asking = null; // one dialog for all requests that wait
const field = h("input", { id: "token", type: "password", autocomplete: "off", required: true });
const cancel = h("button", { type: "button", id: "token-cancel" }, "Cancel");
const form = h("form", { id: "token-form", method: "dialog" },
  h("h2", { id: "token-heading" }, "A token is needed"),
  h("p", { class: "muted" }, "It is kept in this tab alone, and forgotten when the tab is closed."),
  h("label", { for: "token" }, "Token"), field,
  h("div", { class: "buttons" }, h("button", { type: "submit", class: "main" }, "Go on"), cancel));
const dialog = h("dialog", { id: "token-dialog", "aria-labelledby": "token-heading" }, form);
document.body.append(dialog);

function askForToken() {
  asking ??= new Promise((resolve) => {
    const done = (event) => {
      if (event?.type === "submit") {
        event.preventDefault();
        if (!/^[\x21-\x7e]+$/.test(field.value)) return field.focus();
        sessionStorage.setItem(TOKEN, field.value);
      }
      field.value = "";
      form.onsubmit = cancel.onclick = dialog.oncancel = null;
      dialog.close();
      asking = null;
      return resolve(event?.type === "submit");
    };
    form.onsubmit = cancel.onclick = dialog.oncancel = done;
    dialog.showModal();
    field.focus();
  });
  return asking;
}

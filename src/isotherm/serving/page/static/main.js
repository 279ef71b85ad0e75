// The page: a taste, the list that follows from it, the map, the items and the server's health.

import { ask } from "./api.js";
import { at, tell } from "./dom.js";
import { startHealth, showHealth } from "./health.js";
import { startItems } from "./items.js";
import { onList, showList } from "./list.js";
import { drawMap, refreshMap, startMap } from "./map.js";
import { showSettings, startSettings } from "./settings.js";
import { onChange, readAddress } from "./state.js";
import { showTaste, startTaste } from "./taste.js";

/** Links to parts of the page: the address behind # is that of the taste. */
function startLinks() {
  for (const link of document.querySelectorAll("a[href^='#']")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const target = at(link.getAttribute("href").slice(1));
      target.scrollIntoView();
      target.focus({ preventScroll: true });
    });
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    at("title-search").focus();
  });
}

async function start() {
  startLinks();
  startTaste();
  onChange(showTaste);
  onChange(showSettings);
  onChange(showList);
  onList(drawMap);
  window.addEventListener("hashchange", readAddress);
  readAddress();
  await startParts();
  startHealth((isOther) => Promise.all([showList(), isOther ? startParts() : refreshMap()]));
}

/** The parts that depend on the fields of the model on the air. */
async function startParts() {
  try {
    const told = await ask("GET", "v1/fields");
    startSettings(told.fields);
    startItems(told);
    await showHealth();
    await startMap(told.fields);
  } catch (error) {
    tell(error);
  }
}

start();

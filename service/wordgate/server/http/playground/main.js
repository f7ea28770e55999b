// Tabs, models and the API token.

import { startChoosing } from "./choose.js";
import { call, onTokenNeeded } from "./connect.js";
import { byId, element } from "./dom.js";
import { startLooking } from "./inside.js";
import { startLoad } from "./load.js";
import { startTyping } from "./type.js";

const tabs = [...document.querySelectorAll('[role="tab"]')];
// A panel is not named like its hash: the browser would move the focus to it.
const panels = tabs.map((tab) => byId(tab.getAttribute("aria-controls")));
const models = byId("model");

function startTabs(shown) {
  const select = (index) => {
    tabs.forEach((tab, each) => {
      tab.setAttribute("aria-selected", String(each === index));
      tab.tabIndex = each === index ? 0 : -1;
      panels[each].hidden = each !== index;
    });
    document.title = `${tabs[index].textContent} · Wordgate`;
    shown(tabs[index].hash.slice(1));
  };
  const follow = () => select(Math.max(0, tabs.findIndex((tab) => tab.hash === location.hash)));
  addEventListener("hashchange", follow);
  tabs.forEach((tab, index) => tab.addEventListener("keydown", (event) => move(event, index)));
  follow();
}

function move(event, index) {
  const last = tabs.length - 1;
  const step = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last, " ": index };
  if (!(event.key in step) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const tab = tabs.at(step[event.key] % tabs.length);
  tab.focus();
  location.hash = tab.hash;
}

/** Fill the list of models. A name stands for its latest version. */
async function loadModels(changed) {
  const { models: served, server } = await call("ModelService/ListModels", {});
  const latest = new Map(served.map((model) => [model.version.name, model]));
  const options = served.map((model) => {
    const { name, version } = model.version;
    const value = latest.get(name) === model ? name : `${name}@${version}`;
    const text = `${languageName(model.language)} (${name}@${version})`;
    const option = element("option", { value, text, selected: Boolean(model.isDefault) });
    return { option, model: { name: value, language: model.language || "en" } };
  });
  models.replaceChildren(...options.map(({ option }) => option));
  models.disabled = false;
  const choose = () => changed(options[models.selectedIndex].model);
  models.onchange = choose;
  choose();
  byId("version").textContent = server.version;
  byId("server").textContent = `Wordgate ${server.version}, onnxruntime ${server.onnxruntimeVersion}, ${server.device}.`;
}

function languageName(tag) {
  try {
    return new Intl.DisplayNames("en", { type: "language" }).of(tag);
  } catch {
    return tag || "unknown language";
  }
}

/** Ask for a token in a dialog. Resolves to "" if the user cancels. */
function askForToken(isRefused) {
  const dialog = byId("token-dialog");
  const input = byId("token");
  byId("token-problem").textContent = isRefused
    ? "The server refused this token. Enter another one."
    : "It stays in this page’s memory until you close it.";
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => resolve(dialog.returnValue === "ok" ? input.value.trim() : "");
    dialog.addEventListener("close", closed, { once: true });
  });
}

function showProblem(error) {
  const problem = byId("problem");
  problem.hidden = !error;
  problem.textContent = error?.message ?? "";
}

onTokenNeeded(askForToken);
const views = {
  type: startTyping(showProblem),
  choose: startChoosing(showProblem),
  inside: startLooking(showProblem),
  load: startLoad(showProblem),
};
let view = null;
let model = null;
let loading = null;

function refresh() {
  showProblem(null);
  for (const each of Object.values(views)) if (each !== view) each.hide();
  if (model) view.show(model);
  else tryModels();
}

/** Load the list of models; each change of the view tries again until it is there. */
function tryModels() {
  if (!loading) loading = loadModels(use).catch(showProblem).finally(() => (loading = null));
}

function use(chosen) {
  model = chosen;
  refresh();
}

startTabs((name) => {
  view = views[name];
  refresh();
});

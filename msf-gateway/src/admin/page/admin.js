"use strict";
// Everything that comes from the gateway is put in place as text: names of instances are not ours.
let token = sessionStorage.getItem("token") || "";
const shown = new Map();
const at = (id) => document.getElementById(id);

async function ask(path, method = "GET") {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { method, headers, cache: "no-store" });
  if (answer.status === 401) {
    at("login").hidden = false;
    if (token) at("refused").textContent = "The gateway does not know this token.";
    token = "";
    sessionStorage.removeItem("token");
  }
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.detail || document.title);
  return document;
}

function node(name, content, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  for (const part of [content].flat()) if (part != null && part !== "") made.append(part);
  return made;
}

function table(columns, rows, empty) {
  if (rows.length === 0) return node("p", empty, "quiet");
  const cell = (row) => ([label, value, kind]) => {
    const made = node("td", value(row), kind);
    made.dataset.label = label;
    return made;
  };
  const head = node("thead", node("tr", columns.map(([label, , kind]) => {
    const made = node("th", label, kind);
    made.scope = "col";
    return made;
  })));
  return node("table", [head, node("tbody", rows.map((row) => node("tr", columns.map(cell(row)))))]);
}

/// Puts a section in place, unless nothing has changed or somebody is working in it.
function put(id, data, make) {
  const place = at(id);
  const text = JSON.stringify(data);
  const works = place.contains(document.activeElement) && document.activeElement !== place;
  if (shown.get(id) === text || works) return;
  shown.set(id, text);
  place.replaceChildren(make(data));
}

const code = (text) => text && node("code", text);
const ms = (value) => value == null ? "" : value < 1000 ? `${Math.round(value)} ms` : `${Math.round(value / 1000)} s`;
const word = (text, good, bad) => node("span", text, good.includes(text) ? "good" : bad.includes(text) ? "bad" : "warn");
const state = (text) => word(text, ["closed"], ["open", "forced_open"]);
const extras = (route) => Object.entries(route)
  .filter(([name]) => !["id", "match", "to", "policy", "timeout"].includes(name))
  .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
  .join(", ");

const routes = ({ routes }) => table([
  ["Route", (it) => node("strong", it.id)],
  ["Takes", (it) => code(it.match)],
  ["To", (it) => code(it.to)],
  ["Policy", (it) => it.policy === "public" ? node("span", "public", "warn") : code(it.policy)],
  ["Timeout", (it) => it.timeout],
  ["Besides", (it) => node("span", extras(it), "quiet")],
], routes, "There is no route.");

const clusters = ({ clusters }) => table([
  ["Cluster", (it) => node("strong", it.cluster)],
  ["Instance", (it) => code(it.addr)],
  ["Health", (it) => it.health && it.health === "unknown" ? node("span", "not checked", "quiet") : word(it.health, ["healthy"], ["unhealthy"])],
  ["Status", (it) => it.status],
  ["Zone", (it) => it.zone],
  ["In flight", (it) => it.in_flight == null ? "" : String(it.in_flight), "number"],
  ["Latency", (it) => ms(it.ewma_ms), "number"],
  ["List", (it) => word(it.freshness, ["live"], ["unknown"])],
], clusters.flatMap((it) => it.instances.length === 0
  ? [{ cluster: it.name, addr: "none", freshness: it.freshness }]
  : it.instances.map((instance) => ({ ...instance, cluster: it.name, freshness: it.freshness }))),
"There is no cluster.");

function order(service, action, question) {
  const made = node("button", action);
  made.type = "button";
  made.setAttribute("aria-label", `${action} the breaker of ${service}`);
  made.onclick = async () => {
    if (question && !confirm(question)) return;
    try {
      await ask(`/breakers/${encodeURIComponent(service)}/${action}`, "POST");
    } catch (error) {
      alert(error.message);
    }
    made.blur();
    await refresh();
  };
  return made;
}

const breakers = ({ breakers }) => table([
  ["Service", (it) => node("strong", it.service)],
  ["State", (it) => state(it.state)],
  ["For", (it) => ms(it.state_for_ms), "number"],
  ["Succeeded", (it) => String(it.succeeded), "number"],
  ["Failed", (it) => String(it.failed), "number"],
  ["Slow", (it) => String(it.slow), "number"],
  ["Orders", (it) => node("span", [
    order(it.service, "open", `No call of ${it.service} will pass. Open its breaker?`),
    order(it.service, "close", `Every call of ${it.service} will pass, even if it fails. Close its breaker?`),
    order(it.service, "release"),
  ])],
], breakers, "There is no breaker.");

async function refresh() {
  try {
    const [config, ready, r, c, b] = await Promise.all([
      ask("/config"), fetch("/readyz"), ask("/routes"), ask("/clusters"), ask("/breakers"),
    ]);
    const revision = config.revision == null ? "" : `, revision ${config.revision}`;
    at("status").textContent = `${ready.ok ? "ready" : "not ready"}${revision}`;
    at("status").className = ready.ok ? "good" : "bad";
    put("routes-body", r, routes);
    put("clusters-body", c, clusters);
    put("breakers-body", b, breakers);
    at("login").hidden = true;
  } catch (error) {
    at("status").textContent = error.message;
    at("status").className = "bad";
  }
}

at("login").onsubmit = (event) => {
  event.preventDefault();
  token = at("token").value;
  sessionStorage.setItem("token", token);
  at("refused").textContent = "";
  refresh();
};

at("ask").onsubmit = async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const query = new URLSearchParams({ method: form.get("method"), url: form.get("url") });
  for (const line of form.get("header").split(/;\s*(?=[\w-]+:)/)) if (line.trim()) query.append("header", line);
  try {
    const { text, ...document } = await ask(`/explain?${query}`);
    at("explained").replaceChildren(node("pre", text || JSON.stringify(document, null, 2)));
  } catch (error) {
    at("explained").replaceChildren(node("p", error.message, "bad"));
  }
};

refresh();
setInterval(() => document.hidden || refresh(), 2000);

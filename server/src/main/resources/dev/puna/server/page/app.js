// The page of a Puna server. Conversations lie in this browser; what the model writes becomes nodes (markdown.js).
import { render } from "/markdown.js";

const $ = id => document.getElementById(id);
const root = document.documentElement;

// ---------------------------------------------------------------- what is kept

const DEFAULTS = { temperature: 0.6, top_p: 0.9, top_k: 0, min_p: 0, repetition_penalty: 1, max_tokens: 1024, seed: "", stop: "" };
const NUMBERS = ["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens"];

const store = {
  read(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem("puna." + key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  write(key, value) {
    try {
      localStorage.setItem("puna." + key, JSON.stringify(value));
    } catch {
      notify("This browser keeps no more: delete old conversations.");
    }
  },
  drop(key) {
    localStorage.removeItem("puna." + key);
  },
};

/** {id, title, time} of every conversation, the latest first; each lies under its own key. */
let index = store.read("index", []).filter(entry => entry && typeof entry.id === "string");
let sampling = { ...DEFAULTS, ...store.read("sampling", {}) };
let current = null;
let model = { id: "", chat: true, context_length: 0 };
let running = null; // AbortController of what is being written

function fresh() {
  return { id: crypto.randomUUID?.() ?? String(Date.now()) + Math.random(), title: "", system: "", messages: [] };
}

function save() {
  if (!current.messages.length && !current.system) return;
  index = index.filter(entry => entry.id !== current.id);
  index.unshift({ id: current.id, title: current.title || "New conversation", time: Date.now() });
  store.write("c." + current.id, current);
  store.write("index", index);
  showList();
}

// ---------------------------------------------------------------- small parts

const ICONS = {
  copy: "M9 9h10v11H9z M5 15V4h10", again: "M20 11a8 8 0 1 0-2.3 6.3 M20 5v6h-6", edit: "M4 20l1-4L16 5l3 3L8 19z",
  drop: "M5 7h14 M10 7V4h4v3 M7 7l1 13h8l1-13", done: "M5 12l5 5 9-11",
};

function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function button(label, name, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.append(icon(name));
  made.addEventListener("click", action);
  return made;
}

let noticeTimer = 0;
function notify(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => ($("notice").hidden = true), 6000);
}

async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed outside of https and localhost
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  if (from.dataset.copy) {
    from.textContent = "Copied";
    setTimeout(() => (from.textContent = "Copy"), 1500);
  } else {
    from.replaceChildren(icon("done"));
    setTimeout(() => from.replaceChildren(icon("copy")), 1500);
  }
}

function rate(figures) {
  if (!figures) return "";
  const parts = [figures.tokens + (figures.tokens === 1 ? " token" : " tokens")];
  if (figures.tokens > 1 && figures.seconds > 0) {
    const speed = (figures.tokens - 1) / figures.seconds;
    parts.push(speed.toFixed(speed < 10 ? 1 : 0) + " tokens/s");
  }
  if (figures.first) parts.push("first after " + figures.first.toFixed(figures.first < 1 ? 2 : 1) + " s");
  return parts.join(" · ");
}

// ---------------------------------------------------------------- the server

function headers() {
  const key = store.read("key", "");
  return { "content-type": "application/json", ...(key ? { authorization: "Bearer " + key } : {}) };
}

async function refused(response) {
  let text = response.status + " " + response.statusText;
  try {
    text = (await response.json()).error.message;
  } catch { /* no body of ours */ }
  if (response.status === 401) {
    openSettings();
    $("key").focus();
    text = "This server asks for an API key.";
  }
  if (response.status === 429) text += " (" + (response.headers.get("retry-after") ?? "some") + " s)";
  return new Error(text);
}

async function loadModel() {
  try {
    const response = await fetch("/v1/models", { headers: headers() });
    if (!response.ok) throw await refused(response);
    model = (await response.json()).data[0];
  } catch (failure) {
    notify(String(failure.message ?? failure));
  }
  $("model").textContent = model.id || "Puna";
  document.title = model.id ? model.id + " · Puna" : "Puna";
  showEmpty();
}

function settings() {
  const wanted = {};
  for (const name of NUMBERS) {
    if (name === "max_tokens" || sampling[name] !== DEFAULTS[name] || name === "temperature" || name === "top_p") {
      wanted[name] = sampling[name];
    }
  }
  if (/^-?\d+$/.test(sampling.seed)) wanted.seed = Number(sampling.seed);
  if (sampling.stop) wanted.stop = [sampling.stop.replaceAll("\\n", "\n").replaceAll("\\t", "\t")];
  return wanted;
}

/**
 * Asks, and gives every piece of text to `onText` with the figures so far. Ends with {figures, reason}; a piece that
 * reports an error, or a stop by the person, throws.
 */
async function ask(path, body, onText) {
  const control = new AbortController();
  running = control;
  document.body.classList.add("busy");
  $("send").setAttribute("aria-label", "Stop");
  $("continue").firstChild.data = "Stop";
  const start = performance.now();
  const figures = { tokens: 0, seconds: 0, first: 0 };
  let firstAt = 0;
  let reason = "";
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: headers(),
      body: JSON.stringify({ ...settings(), ...body, stream: true, stream_options: { include_usage: true } }),
      signal: control.signal,
    });
    if (!response.ok) throw await refused(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += value;
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
        const event = JSON.parse(line.slice(6));
        if (event.error) throw new Error(event.error.message);
        if (event.usage) figures.tokens = event.usage.completion_tokens;
        const choice = event.choices?.[0];
        if (!choice) continue;
        const text = choice.delta?.content ?? choice.text ?? "";
        const now = performance.now();
        if (text && !firstAt) {
          firstAt = now;
          figures.first = (now - start) / 1000;
        }
        if (text) figures.tokens++;
        if (firstAt) figures.seconds = (now - firstAt) / 1000;
        reason = choice.finish_reason ?? reason;
        onText(text, figures);
      }
    }
    return { figures, reason };
  } catch (failure) {
    failure.figures = figures;
    throw failure;
  } finally {
    running = null;
    document.body.classList.remove("busy");
    $("send").setAttribute("aria-label", "Send");
    $("continue").firstChild.data = "Continue";
  }
}

function stop() {
  running?.abort();
}

// ---------------------------------------------------------------- the list

function showList() {
  $("list").replaceChildren(...index.map(entry => {
    const item = document.createElement("li");
    item.classList.toggle("here", entry.id === current.id);
    const open = document.createElement("button");
    open.className = "open";
    const title = document.createElement("span");
    title.textContent = entry.title;
    open.append(title);
    open.title = entry.title;
    if (entry.id === current.id) open.setAttribute("aria-current", "true");
    open.addEventListener("click", () => show(entry.id));
    const drop = button("Delete " + entry.title, "drop", () => remove(entry.id));
    drop.className = "drop";
    item.append(open, drop);
    return item;
  }));
}

function remove(id) {
  stop();
  index = index.filter(entry => entry.id !== id);
  store.drop("c." + id);
  store.write("index", index);
  if (id === current.id) begin();
  else showList();
}

function show(id) {
  stop();
  const kept = store.read("c." + id, null);
  if (!kept || !Array.isArray(kept.messages)) return remove(id);
  current = kept;
  closeMenu();
  showAll();
  scrollDown(true);
  $("input").focus();
}

function begin() {
  stop();
  current = fresh();
  closeMenu();
  showAll();
  $("input").focus();
}

function step(by) {
  const at = index.findIndex(entry => entry.id === current.id);
  const next = index[Math.max(0, at + by)];
  if (next && next.id !== current.id) show(next.id);
}

// ---------------------------------------------------------------- messages

function showAll() {
  $("messages").replaceChildren(...current.messages.map(draw));
  store.write("open", current.id);
  showList();
  showEmpty();
}

function showEmpty() {
  $("empty").hidden = current.messages.length > 0;
  $("messages").hidden = current.messages.length === 0;
  $("empty-title").textContent = model.chat ? "What shall we talk about?" : "This model continues texts";
  $("empty-text").textContent = !model.id ? "" : model.chat
    ? model.id + ", with a context of " + model.context_length.toLocaleString("en") + " tokens, on this machine."
    : model.id + " came without a chat template. It may answer all the same; it is at home in the mode Text above.";
}

function draw(message) {
  const item = document.createElement("li");
  item.className = message.role;
  const body = document.createElement("div");
  body.className = "body";
  const foot = document.createElement("div");
  foot.className = "foot";
  item.append(body, foot);
  fill(item, message);
  foot.append(button("Copy", "copy", event => copy(message.content, event.currentTarget)));
  foot.append(button("Edit", "edit", () => edit(item, message)));
  if (message.role === "assistant") foot.append(button("Answer again", "again", () => again(message)));
  const output = document.createElement("output");
  foot.append(output);
  note(item, message);
  return item;
}

function fill(item, message) {
  const body = item.querySelector(".body");
  if (message.role === "user") body.textContent = message.content;
  else render(body, message.content);
}

function note(item, message) {
  const output = item.querySelector("output");
  if (message.role !== "assistant") return;
  const ends = { length: "cut: the limit of tokens, or the context, is reached", stopped: "stopped" };
  output.textContent = [rate(message.figures), ends[message.reason]].filter(Boolean).join(" · ");
  item.querySelector(".failed")?.remove();
  if (message.failure) {
    const failure = document.createElement("p");
    failure.className = "failed";
    failure.textContent = message.failure;
    item.querySelector(".foot").before(failure);
  }
}

function edit(item, message) {
  if (running) return;
  const form = document.createElement("form");
  form.className = "edit";
  const area = document.createElement("textarea");
  area.value = message.content;
  area.setAttribute("aria-label", "Edit the message");
  const bar = document.createElement("div");
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.textContent = "Cancel";
  const done = document.createElement("button");
  done.className = "primary";
  done.textContent = message.role === "user" ? "Send" : "Save";
  bar.append(cancel, done);
  form.append(area, bar);
  const close = () => item.replaceWith(draw(message));
  cancel.addEventListener("click", close);
  area.addEventListener("keydown", event => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
      $("input").focus();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey || (!event.shiftKey && message.role === "user"))) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", event => {
    event.preventDefault();
    message.content = area.value;
    if (message.role === "user") {
      current.messages.length = current.messages.indexOf(message) + 1;
      showAll();
      answer();
    } else {
      delete message.figures;
      save();
      close();
    }
  });
  item.replaceChildren(form);
  area.style.height = Math.min(area.scrollHeight + 4, innerHeight / 2) + "px";
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}

function again(message) {
  if (running) return;
  current.messages.length = current.messages.indexOf(message);
  showAll();
  answer();
}

function send() {
  const text = $("input").value.trim();
  if (running || !text) return;
  $("input").value = "";
  grow();
  current.messages.push({ role: "user", content: text });
  if (!current.title) current.title = text.split("\n")[0].slice(0, 80);
  showAll();
  answer();
}

async function answer() {
  const conversation = current;
  const message = { role: "assistant", content: "" };
  const asked = [
    ...(conversation.system ? [{ role: "system", content: conversation.system }] : []),
    ...conversation.messages.map(({ role, content }) => ({ role, content })),
  ];
  conversation.messages.push(message);
  const item = draw(message);
  item.classList.add("writing");
  $("messages").append(item);
  showEmpty();
  scrollDown(true);
  $("spoken").textContent = "The model writes.";
  let drawn = 0;
  try {
    const { figures, reason } = await ask("/v1/chat/completions", { messages: asked }, (text, soFar) => {
      message.content += text;
      message.figures = { ...soFar };
      drawn ||= requestAnimationFrame(() => {
        drawn = 0;
        const below = atEnd();
        fill(item, message);
        note(item, message);
        if (below) scrollDown(true);
      });
    });
    message.figures = { ...figures };
    message.reason = reason;
    $("spoken").textContent = message.content;
  } catch (failure) {
    message.figures = failure.figures?.tokens ? { ...failure.figures } : undefined;
    if (failure.name === "AbortError") message.reason = "stopped";
    else message.failure = String(failure.message ?? failure);
    $("spoken").textContent = message.failure ?? "Stopped.";
  }
  cancelAnimationFrame(drawn);
  const below = atEnd();
  item.classList.remove("writing");
  fill(item, message);
  note(item, message);
  if (below) scrollDown(true);
  const shown = current;
  current = conversation;
  if (index.some(entry => entry.id === conversation.id) || shown === conversation) save();
  current = shown;
  showList();
}

// ---------------------------------------------------------------- scrolling, growing

const scroll = $("scroll");
const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;

function scrollDown(now) {
  scroll.scrollTo({ top: scroll.scrollHeight, behavior: now ? "instant" : "smooth" });
}

scroll.addEventListener("scroll", () => ($("down").hidden = atEnd()), { passive: true });
$("down").addEventListener("click", () => scrollDown(false));

function grow() {
  if (CSS.supports("field-sizing", "content")) return;
  const area = $("input");
  area.style.height = "auto";
  area.style.height = Math.min(area.scrollHeight, innerHeight * 0.4) + "px";
}

// ---------------------------------------------------------------- plain text

const area = $("document");
let undo = []; // texts before each continuation

async function goOn() {
  if (running) return stop();
  if (!area.value) area.value = area.placeholder;
  const before = area.value;
  undo.push(before);
  const wanted = model.chat ? {} : { max_tokens: Math.min(sampling.max_tokens, Math.max(16, model.context_length)) };
  area.readOnly = true;
  const show = figures => ($("text-figures").textContent = rate(figures));
  try {
    const { figures, reason } = await ask("/v1/completions", { prompt: before, ...wanted }, (text, soFar) => {
      const below = area.scrollHeight - area.scrollTop - area.clientHeight < 60;
      area.value += text;
      if (below) area.scrollTop = area.scrollHeight;
      show(soFar);
    });
    show(figures);
    if (reason === "stop") $("text-figures").textContent += " · the text is at its end";
  } catch (failure) {
    if (failure.name !== "AbortError") notify(String(failure.message ?? failure));
  }
  area.readOnly = false;
  store.write("text", area.value);
  showUndo();
}

function takeBack() {
  if (running || !undo.length) return false;
  area.value = undo.pop();
  store.write("text", area.value);
  showUndo();
  return true;
}

function showUndo() {
  $("undo").disabled = $("again").disabled = !undo.length;
}

function mode(text) {
  stop();
  $("chat").hidden = text;
  $("text").hidden = !text;
  $("mode-chat").setAttribute("aria-checked", String(!text));
  $("mode-text").setAttribute("aria-checked", String(text));
  $("mode-chat").tabIndex = text ? -1 : 0;
  $("mode-text").tabIndex = text ? 0 : -1;
  store.write("mode", { text, model: model.id });
  (text ? area : $("input")).focus();
}

area.addEventListener("input", () => store.write("text", area.value));
$("continue").addEventListener("click", goOn);
$("undo").addEventListener("click", takeBack);
$("again").addEventListener("click", () => takeBack() && goOn());
$("mode-chat").addEventListener("click", () => mode(false));
$("mode-text").addEventListener("click", () => mode(true));
document.querySelector(".modes").addEventListener("keydown", event => {
  if (["ArrowLeft", "ArrowRight"].includes(event.key)) {
    const text = $("chat").hidden;
    mode(!text);
    $(text ? "mode-chat" : "mode-text").focus();
  }
});

// ---------------------------------------------------------------- settings

function openSettings() {
  for (const name of Object.keys(DEFAULTS)) $(name).value = sampling[name];
  $("system").value = current.system;
  $("key").value = store.read("key", "");
  if (!$("settings").open) $("settings").showModal();
}

function takeSettings() {
  for (const name of NUMBERS) {
    const input = $(name);
    if (input.value !== "" && input.validity.valid) sampling[name] = Number(input.value);
  }
  sampling.seed = $("seed").value.trim();
  sampling.stop = $("stop").value;
  store.write("sampling", sampling);
  if (current.system !== $("system").value) {
    current.system = $("system").value;
    save();
  }
  const key = $("key").value.trim();
  if (key !== store.read("key", "")) {
    store.write("key", key);
    loadModel();
  }
  ($("chat").hidden ? area : $("input")).focus();
}

$("settings-open").addEventListener("click", openSettings);
$("settings").addEventListener("close", takeSettings);
$("settings").addEventListener("click", event => event.target === $("settings") && $("settings").close());
$("defaults").addEventListener("click", () => {
  for (const [name, value] of Object.entries(DEFAULTS)) $(name).value = value;
});
$("clear").addEventListener("click", () => {
  if (!confirm("Delete all conversations of this browser?")) return;
  for (const entry of index) store.drop("c." + entry.id);
  index = [];
  store.write("index", index);
  begin();
});

const dark = matchMedia("(prefers-color-scheme: dark)");
function theme() {
  root.dataset.theme = store.read("theme", "") || (dark.matches ? "dark" : "light");
}
dark.addEventListener("change", theme);
$("theme").addEventListener("click", () => {
  const next = root.dataset.theme === "dark" ? "light" : "dark";
  store.write("theme", next === (dark.matches ? "dark" : "light") ? "" : next);
  theme();
});

// ---------------------------------------------------------------- keys, buttons

function closeMenu() {
  document.body.classList.remove("menu");
}

$("menu").addEventListener("click", () => {
  document.body.classList.add("menu");
  $("new").focus();
});
$("hide").addEventListener("click", closeMenu);
$("shade").addEventListener("click", closeMenu);
$("new").addEventListener("click", begin);
$("composer").addEventListener("submit", event => {
  event.preventDefault();
  if (running) stop();
  else send();
});
$("input").addEventListener("input", grow);
$("input").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  } else if (event.key === "ArrowUp" && !event.target.value && !running) {
    const at = current.messages.findLastIndex(message => message.role === "user");
    if (at >= 0) {
      event.preventDefault();
      edit($("messages").children[at], current.messages[at]);
    }
  }
});
$("messages").addEventListener("click", event => {
  const from = event.target.closest("[data-copy]");
  if (from) copy(from.closest("figure").querySelector("code").textContent, from);
});
addEventListener("keydown", event => {
  if (event.key === "Escape") {
    if (running) stop();
    closeMenu();
  } else if (event.altKey && !event.ctrlKey && !event.metaKey) {
    const actions = { KeyN: begin, Comma: openSettings, ArrowUp: () => step(-1), ArrowDown: () => step(1) };
    const action = actions[event.code];
    if (action) {
      event.preventDefault();
      action();
    }
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !$("text").hidden) {
    event.preventDefault();
    goOn();
  }
});

// ---------------------------------------------------------------- begin

theme();
current = store.read("c." + store.read("open", ""), null) ?? fresh();
area.value = store.read("text", "");
showAll();
scrollDown(true);
await loadModel();
const kept = store.read("mode", null);
mode(kept && kept.model === model.id ? kept.text : model.id !== "" && !model.chat);
root.dataset.ready = "true";

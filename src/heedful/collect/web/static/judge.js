// The judging page by keyboard, drafts, and the time it takes. Everything works without this by hand.
import { alone, typing } from "./keys.js";
import { ranking } from "./rank.js";

const QUIET = 600; // milliseconds without a change before a draft is sent

const form = document.getElementById("judge");
const guidelines = document.getElementById("guidelines");
const saved = document.getElementById("saved");
const more = form.querySelector(".more");
const cards = [...form.querySelectorAll(".response")];
const task = form.dataset.task;

const checked = (name) => form.querySelector(`input[name="${name}"]:checked`);
const input = (name, value) => form.querySelector(`input[name="${name}"][value="${value}"]`);
const press = (box) => { box.checked = true; box.dispatchEvent(new Event("change", { bubbles: true })); };
const say = (text) => { document.getElementById("said").textContent = text; };
const tell = (text, bad = false) => { saved.textContent = text; saved.classList.toggle("bad", bad); };
const labelOf = (box) => box.labels[0].querySelector("span").textContent.trim();

// What is missing of the answer, in a sentence; "" of a complete one.
function missing() {
  const why = form.elements.rationale?.value.trim() ?? "";
  const choice = checked("choice")?.value;
  if (choice === "skip") return checked("reason") || why ? "" : "Say why you skip it.";
  if (task === "pairwise") {
    if (!choice) return "Say which one is better first.";
    const sided = choice === "a" || choice === "b";
    if (sided && form.querySelector(".strength") && !checked("strength")) return "Say how much better it is.";
  }
  const groups = new Set([...form.querySelectorAll(".response input[type=radio]")].map((box) => box.name));
  if ([...groups].some((name) => !checked(name))) {
    return { ranking: "Give every response a rank.", rating: "Rate everything first.", thumbs: "Give every response a thumb." }[task];
  }
  return form.dataset.rationale === "required" && !why ? "Say in a few words why." : "";
}

// --- Keys. Each task has a function that is asked first and says whether the key was one of its own.

let armed = null; // the key that completed the answer: pressed again, it submits

function pick(box, event) {
  if (armed === event.key && box.checked && !missing()) { form.requestSubmit(); return; }
  press(box);
  armed = missing() ? null : event.key;
  say(labelOf(box) + (armed ? ". Press again or Enter to submit." : ""));
}

function pairwise(event) {
  const steps = [...form.querySelectorAll(".scale input")];
  const strengths = [...form.querySelectorAll(".strength input")];
  const side = checked("choice")?.value;
  const digit = Number(event.key);
  let box = null;
  if (steps.length) {
    const at = steps.findIndex((step) => step.checked);
    if (digit >= 1) box = steps[digit - 1];
    else if (event.key === "ArrowLeft") box = at < 0 ? input("choice", "a1") : steps[at - 1];
    else if (event.key === "ArrowRight") box = at < 0 ? input("choice", "b1") : steps[at + 1];
    else box = { a: input("choice", "a2"), b: input("choice", "b2") }[event.key];
  } else if (strengths.length && digit >= 1 && (side === "a" || side === "b")) {
    box = strengths[digit - 1];
  } else {
    const sides = { 1: "a", a: "a", ArrowLeft: "a", 2: "b", b: "b", ArrowRight: "b" };
    if (event.key in sides) box = input("choice", sides[event.key]);
  }
  box ??= { t: input("choice", "tie"), "=": input("choice", "tie"), x: input("choice", "both_bad") }[event.key];
  if (box) pick(box, event);
  return Boolean(box) || event.key === "ArrowLeft" || event.key === "ArrowRight";
}

// Rows that get one value each, one after the other: aspects of ratings, thumbs.
function inRows(rows, values) {
  const boxes = rows.map((row) => [...row.querySelectorAll("input")]);
  const given = (at) => boxes[at].some((box) => box.checked);
  const focus = (at) => (boxes[at].find((box) => box.checked) ?? boxes[at][0]).focus();
  return (event) => {
    const inside = rows.findIndex((row) => row.contains(document.activeElement));
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      if (inside < 0) return false;
      const at = inside + (event.key === "ArrowDown" ? 1 : -1);
      if (at in rows) focus(at);
      return true;
    }
    const value = values(event.key);
    if (value < 0) return false;
    const open = rows.findIndex((_, at) => !given(at));
    const row = inside >= 0 ? inside : Math.max(open, 0);
    if (!boxes[row][value]) return false;
    if (rows.length === 1) { pick(boxes[row][value], event); return true; }
    press(boxes[row][value]);
    say(rows[row].querySelector("legend").textContent.trim() + ": " + labelOf(boxes[row][value]));
    focus(Math.min(row + 1, rows.length - 1));
    return true;
  };
}

const ofTask = {
  pairwise: () => pairwise,
  ranking: () => ranking(form, cards, { press, say }),
  rating: () => inRows([...form.querySelectorAll(".aspect")], (key) => (key === "0" ? 9 : "123456789".indexOf(key))),
  thumbs: () => inRows([...form.querySelectorAll(".thumb")], (key) => ({ 1: 0, "+": 0, 2: 1, "-": 1 })[key] ?? -1),
}[task]();

function skip() {
  const box = input("choice", "skip");
  if (box.type === "checkbox") box.click();
  else press(box);
  if (!box.checked) return;
  const first = form.querySelector(".reasons input");
  if (first) (checked("reason") ?? first).focus();
  else write();
  say("Skip. Choose a reason.");
}

// Opens what is out of the way, and goes to a field in it if there is one.
function goTo(field) {
  if (!field) return;
  more.open = true;
  field.focus();
}

const write = () => goTo(form.elements.rationale);
const flag = () => goTo(form.querySelector(".flags input"));

function reason(event) {
  const box = checked("choice")?.value === "skip" && form.querySelectorAll(".reasons input")["123456789".indexOf(event.key)];
  if (box) pick(box, event);
  return Boolean(box);
}

const COMMANDS = {
  s: skip,
  r: write,
  f: flag,
  g: () => guidelines.showModal(),
  "?": () => guidelines.showModal(),
  u: () => document.getElementById("undo")?.requestSubmit(),
};

addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); return; }
  if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
  const moves = event.altKey && task === "ranking" && event.key.startsWith("Arrow");
  if (event.repeat || (!moves && !alone(event))) return;
  if (event.key === "Enter") {
    if (event.target.closest("a, button, summary")) return;
    event.preventDefault();
    form.requestSubmit();
  } else if (reason(event) || (event.key in COMMANDS ? COMMANDS[event.key]() ?? true : ofTask(event))) {
    event.preventDefault();
  }
});

for (const link of document.querySelectorAll("#guidelines-link, [data-guidelines]")) {
  link.addEventListener("click", (event) => { event.preventDefault(); guidelines.showModal(); });
}
guidelines.addEventListener("click", (event) => { if (event.target === guidelines) guidelines.close(); });

// --- Time: how long the page was in front, reloads included.

const clock = `seconds ${form.dataset.clock}`;
let spent = Number(sessionStorage.getItem(clock)) || 0;
let since = null;

function tick() {
  const now = performance.now();
  if (since !== null) spent += (now - since) / 1000;
  since = document.visibilityState === "visible" && document.hasFocus() ? now : null;
}
tick();
addEventListener("focus", tick);
addEventListener("blur", tick);
document.addEventListener("visibilitychange", tick);

// --- Drafts.

let timer = null;
let sent = false;
let complained = false; // what is missing was said, and nothing has changed since

function saveDraft(leaving = false) {
  clearTimeout(timer);
  timer = null;
  const headers = { "X-CSRF-Token": form.elements.csrf.value };
  return fetch(form.dataset.draft, { method: "POST", headers, body: new URLSearchParams(new FormData(form)), keepalive: leaving });
}

function changed() {
  complained = false;
  tell("");
  clearTimeout(timer);
  timer = setTimeout(async () => {
    try {
      const answer = await saveDraft();
      if (!complained) tell(answer.ok ? "Draft saved" : "The draft is not saved", !answer.ok);
    } catch {
      tell("No connection: the draft is not saved", true);
    }
  }, QUIET);
}
form.addEventListener("input", changed);
form.addEventListener("change", changed);

form.addEventListener("submit", (event) => {
  const lack = missing();
  if (lack || sent) {
    event.preventDefault();
    complained = Boolean(lack);
    if (lack) tell(lack, true);
    if (lack && checked("choice") && form.dataset.rationale === "required") write();
    return;
  }
  clearTimeout(timer);
  sent = true;
  tick();
  form.elements.seconds.value = spent.toFixed(2);
  sessionStorage.removeItem(clock);
});

addEventListener("pagehide", () => {
  if (sent) return;
  tick();
  sessionStorage.setItem(clock, String(spent));
  if (timer !== null) saveDraft(true);
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// The chat page: shows answers as they are written, and its keys. Without this the page reloads by itself.
import { alone, typing } from "./keys.js";

const OFTEN = 250; // milliseconds between two looks at the answers
const SAID = {
  ready: "Both answers are there. Which is better?",
  same: "Both gave the same answer.",
  stopped: "Stopped.",
  failed: "There is no answer.",
};

const chat = document.getElementById("chat");
const live = () => document.getElementById("live");
const state = () => live().dataset.state;
const field = (id) => document.getElementById(id);

// Whether the end of the page is in sight, so that it is to stay there as the page grows.
const atEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 80;

// Only the texts that changed, so that nothing else on the page moves or loses the focus.
function update(fresh) {
  const end = atEnd();
  if (fresh.dataset.state !== state()) {
    live().replaceWith(fresh);
    arrived();
  } else {
    for (const part of [".stream", ".response > .title", ".status"]) {
      const [before, now] = [live().querySelectorAll(part), fresh.querySelectorAll(part)];
      before.forEach((one, at) => { if (now[at] && one.innerHTML !== now[at].innerHTML) one.innerHTML = now[at].innerHTML; });
    }
  }
  if (end) scrollTo(0, document.documentElement.scrollHeight);
}

async function look() {
  const told = document.getElementById("said");
  try {
    const answer = await fetch("/chat/live");
    if (!answer.ok || answer.redirected) { location.reload(); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    told.textContent = "";
    update(fresh);
  } catch {
    told.textContent = "No connection. Trying again.";
  }
  if (state() === "answering") setTimeout(look, OFTEN);
  else told.textContent = SAID[state()] ?? "";
}

// Where one types next has the focus; not where keys ask again or undo, nor where a keyboard would fill the screen.
function arrived() {
  if (state() === "" && matchMedia("(hover: hover)").matches) field("text").focus({ preventScroll: true });
}

addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.id === "text" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  } else if (event.key === "Escape" && typing(event.target)) {
    event.target.blur();
  } else if (event.key === "Escape") {
    chat.querySelector("[data-key=Esc]")?.click();
  } else if (event.repeat || !alone(event)) {
    return;
  } else if (event.key === "r" && field("rationale")) {
    event.preventDefault();
    field("rationale").closest("details").open = true;
    field("rationale").focus();
  } else {
    const key = CSS.escape(event.key);
    const button = chat.querySelector(`[data-key="${key}"], [data-also="${key}"]`);
    if (button) { event.preventDefault(); button.click(); }
  }
});

// Sent once, however often it is pressed.
chat.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

arrived();
scrollTo(0, document.documentElement.scrollHeight);
if (state() === "answering") setTimeout(look, OFTEN);

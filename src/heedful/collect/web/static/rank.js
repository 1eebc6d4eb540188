// Ranking: places at the foot of the page into which letters are dragged, and keys. The radio buttons on the
// cards hold the ranks; this only presses them.

// Returns the function that is asked about keys.
export function ranking(form, cards, { press, say }) {
  const strip = document.getElementById("strip");
  const radios = cards.map((card) => [...card.querySelectorAll(".rank input")]);
  const letter = (place) => cards[place].dataset.letter;
  const rankOf = (place) => Number(radios[place].find((box) => box.checked)?.value ?? 0);
  const made = (tag, name, text = "") => {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    return element;
  };

  function order() {
    const tiers = cards.map((_, rank) => cards.map((_, place) => place).filter((place) => rankOf(place) === rank + 1));
    return tiers.filter((tier) => tier.length).map((tier) => tier.map(letter).join(" and ")).join(", then ");
  }

  function setRank(place, rank) {
    if (rank) {
      press(radios[place][rank - 1]);
    } else {
      for (const box of radios[place]) box.checked = false;
      form.dispatchEvent(new Event("change"));
    }
    const ties = cards.map((_, other) => other).filter((other) => other !== place && rank && rankOf(other) === rank);
    const tied = ties.length ? `, tied with ${ties.map(letter).join(" and ")}` : "";
    say(`Response ${letter(place)}: ${rank ? `rank ${rank} of ${cards.length}${tied}` : "no rank"}. Order: ${order()}.`);
  }

  // --- The places and the letters in them.

  const slots = [0, ...cards.keys()].map((_, rank) => {
    const slot = made("div", rank ? "slot" : "slot tray");
    slot.dataset.rank = rank;
    const words = { 0: "to place", 1: "best", [cards.length]: "worst" }[rank];
    slot.append(made("span", "place", rank ? `${rank}${words ? ` ${words}` : ""}` : words));
    return slot;
  });
  const chips = cards.map((_, place) => {
    const chip = made("span", "chip", letter(place));
    chip.addEventListener("pointerdown", (event) => drag(event, chip, place));
    return chip;
  });
  strip.append(...slots.slice(1), slots[0]);
  strip.hidden = false;
  const settle = () => {
    chips.forEach((chip, place) => { if (chip.parentElement !== slots[rankOf(place)]) slots[rankOf(place)].append(chip); });
    slots[0].classList.toggle("empty", cards.every((_, place) => rankOf(place)));
  };
  form.addEventListener("change", settle);
  settle();

  function drag(down, chip, place) {
    if (down.button !== 0) return;
    down.preventDefault();
    const ghost = chip.cloneNode(true);
    const box = chip.getBoundingClientRect();
    const under = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest(".slot") ?? null;
    const move = (event) => {
      ghost.style.left = `${event.clientX - (down.clientX - box.left)}px`;
      ghost.style.top = `${event.clientY - (down.clientY - box.top)}px`;
      const over = under(event);
      for (const slot of slots) slot.classList.toggle("over", slot === over);
    };
    const end = (event) => {
      const over = event.type === "pointerup" ? under(event) : null;
      chip.removeEventListener("pointermove", move);
      chip.removeEventListener("pointerup", end);
      chip.removeEventListener("pointercancel", end);
      ghost.remove();
      chip.classList.remove("held");
      for (const slot of slots) slot.classList.remove("over");
      if (over && Number(over.dataset.rank) !== rankOf(place)) setRank(place, Number(over.dataset.rank));
    };
    ghost.classList.add("ghost");
    chip.classList.add("held");
    document.body.append(ghost);
    move(down);
    chip.setPointerCapture(down.pointerId);
    chip.addEventListener("pointermove", move);
    chip.addEventListener("pointerup", end);
    chip.addEventListener("pointercancel", end);
  }

  // --- Keys.

  for (const card of cards) card.tabIndex = -1;
  const active = () => cards.indexOf(document.activeElement?.closest?.(".response") ?? null);
  const go = (place) => { cards[place].focus(); };

  return (event) => {
    const named = cards.findIndex((card) => card.dataset.letter.toLowerCase() === event.key);
    if (named >= 0) { go(named); return true; }
    const here = active();
    if (event.altKey) {
      if (here < 0 || !["ArrowUp", "ArrowDown"].includes(event.key)) return false;
      const rank = rankOf(here) ? rankOf(here) + (event.key === "ArrowUp" ? -1 : 1) : cards.length;
      if (rank >= 1 && rank <= cards.length) setRank(here, rank);
      return true;
    }
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      go(here < 0 ? 0 : (here + (event.key === "ArrowRight" ? 1 : -1) + cards.length) % cards.length);
      return true;
    }
    const unranked = () => cards.findIndex((_, place) => !rankOf(place));
    const place = here >= 0 ? here : unranked();
    if (event.key === "0" || event.key === "Backspace") {
      if (here >= 0) setRank(here, 0);
      return here >= 0;
    }
    const rank = "123456789".indexOf(event.key) + 1;
    if (!rank || rank > cards.length) return false;
    if (place < 0) { say("Every response has a rank. Go to one by its letter to change it."); return true; }
    setRank(place, rank);
    const next = unranked();
    if (next >= 0) go(next);
    return true;
  };
}

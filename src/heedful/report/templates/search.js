// Filters the examples by words, all of which must stand in one; without this script all of them stay shown.
(() => {
  const frame = document.getElementById("search");
  const field = document.getElementById("sought");
  const matches = document.getElementById("matches");
  const cards = [...document.querySelectorAll("[data-example]")];
  const lists = [...document.querySelectorAll("[data-list]")];
  const folded = document.querySelector("[data-folded]");
  let texts = null;
  let searching = false;
  let wasOpen = false;

  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ");

  const show = () => {
    const words = plain(field.value).trim().split(" ").filter(Boolean);
    if (!searching && words.length) wasOpen = Boolean(folded && folded.open);
    if (folded && (words.length || searching)) folded.open = words.length ? true : wasOpen;
    searching = words.length > 0;
    texts ??= cards.map((card) => plain(card.textContent));
    let found = 0;
    cards.forEach((card, at) => {
      card.hidden = !words.every((word) => texts[at].includes(word));
      found += card.hidden ? 0 : 1;
    });
    for (const list of lists) list.hidden = searching && !list.querySelector("[data-example]:not([hidden])");
    document.body.classList.toggle("searching", searching);
    matches.value = searching ? `${found} of ${cards.length} match` : `${cards.length} examples`;
  };

  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    field.value = "";
    show();
  });
  frame.hidden = false;
  show();
})();

/* Copies what is shown once. Without this, or where a browser lets no page copy, it can be selected by hand. */
"use strict";

for (const field of document.querySelectorAll("[data-copy]")) field.addEventListener("focus", () => field.select());

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).value);
      button.textContent = "Copied";
    });
  }
}

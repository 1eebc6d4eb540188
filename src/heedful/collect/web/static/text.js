// The switch that shows texts as they were written; the choice is kept for the next pages.
import { alone } from "./keys.js";

const plain = document.getElementById("plain");
plain.checked = localStorage.getItem("plain") === "yes";
plain.addEventListener("change", () => localStorage.setItem("plain", plain.checked ? "yes" : "no"));

addEventListener("keydown", (event) => {
  if (event.key === "p" && alone(event)) plain.click();
});

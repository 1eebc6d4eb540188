// Enter goes on, wherever the focus is but on something that Enter presses.
import { alone } from "./keys.js";

addEventListener("keydown", (event) => {
  if (event.key === "Enter" && alone(event) && !event.target.closest("a, button, summary")) document.getElementById("onward").click();
});

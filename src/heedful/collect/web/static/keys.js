// What the scripts of several pages share about keys.

// Whether a key belongs to a field in which somebody types.
export function typing(target) {
  return target instanceof Element && target.closest("textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])") !== null;
}

// Whether a key was pressed by itself, outside of fields and dialogs.
export function alone(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing && !typing(event.target) && !document.querySelector("dialog[open]");
}

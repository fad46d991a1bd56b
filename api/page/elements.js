// Makes elements. Text is inserted as text: no module of the page parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} name such as "p", or "p.hint" with a class
 * @param {Record<string, unknown>} [attributes] `on...` adds a listener; null, undefined and false leave the attribute out
 * @param {...(Node | string | number | null)} children
 */
export function element(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElement(tag), classes, attributes, children);
}

/** Makes an element of a drawing in the same way. */
export function drawn(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElementNS(SVG, tag), classes, attributes, children);
}

function fill(made, classes, attributes, children) {
  made.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null).map((child) => (typeof child === "number" ? String(child) : child)));
  return made;
}

/** Makes a table. On a narrow screen the table scrolls sideways by itself, by keyboard too. */
export function table(caption, head, rows) {
  const header = head.map((cell) => (cell instanceof Node ? cell : element("th", { scope: "col" }, cell)));
  return element("div.scroll", { tabindex: 0, role: "region", "aria-label": caption },
    element("table", {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...header)),
      element("tbody", {}, ...rows)));
}

/** Replaces what a place shows, but only if the text changes: a screen reader does not read the same text again,
 * and what a person has opened stays open. */
export function renew(place, ...shown) {
  const next = element("div", {}, ...shown);
  if (next.textContent !== place.textContent) place.replaceChildren(...next.childNodes);
}

export function notice(text, kind = "") {
  return element("p.notice", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" }, text);
}

export function badge(text) {
  return element("span", { class: `badge ${text.replace(/[^a-z]+/g, "-")}` }, text);
}

/** Asks before a change that others notice; resolves to whether the person agreed. */
export function confirmed(title, text, yes) {
  const dialog = document.getElementById("confirm-dialog");
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

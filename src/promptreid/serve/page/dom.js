// Elements of the page. Text always goes in as text, never as markup.

/**
 * Make an element.
 * @param {string} tag Its name.
 * @param {object} settings Attributes; `on` holds listeners, `class` its classes, `data` its data attributes.
 * @param {...(Node|string|null|false|Array)} children What goes into it; null and false are left out.
 */
export function el(tag, settings = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

const present = (children) => children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false);

/** Put other children into an element; null and false are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

export function button(label, action, settings = {}) {
  return el("button", { type: "button", ...settings, on: { click: action } }, label);
}

let numbers = 0;

/** Make a labelled field; the hint is read with it. */
export function field(label, input, hint = null) {
  input.id ||= `field-${++numbers}`;
  const told = hint && el("span", { class: "hint", id: `${input.id}-hint` }, hint);
  if (told) input.setAttribute("aria-describedby", told.id);
  return el("div", { class: "field" }, el("label", { for: input.id }, label), input, told);
}

/** Show what went wrong, as the service said it. */
export function failure(error, again = null) {
  return el(
    "div", { class: "failure", role: "alert" },
    el("p", {}, error.message),
    error.problems?.length ? el("ul", {}, error.problems.map((one) => el("li", {}, `${one.where}: ${one.what}`))) : null,
    error.status === 401 ? el("a", { class: "button", href: "#/token" }, "Give another token") : again && button("Try again", again),
  );
}

export function loading(words) {
  return el("p", { class: "loading", role: "status" }, words);
}

const notice = () => document.getElementById("notice");
let fading = 0;

/** Tell what was done, with a way back where there is one; it stays while the keyboard is in it. */
export function tell(words, undo = null) {
  clearTimeout(fading);
  const close = () => notice().replaceChildren();
  const wait = () => {
    clearTimeout(fading);
    fading = setTimeout(() => (notice().contains(document.activeElement) ? wait() : close()), undo ? 20000 : 7000);
  };
  fill(
    notice(), el("p", {}, words),
    undo && button("Undo", async () => { close(); await undo(); }),
    button("Close", close, { class: "plain" }),
  );
  wait();
}

/**
 * Ask in a dialog; resolves with what `read` gives, or null when it is left.
 * @param {object} asked title, content (nodes), confirm (label), danger, read, check (returns a sentence or null).
 */
export function ask({ title, content, confirm, danger = false, read = () => true, check = () => null }) {
  return new Promise((resolve) => {
    let answer = null;
    const wrong = el("p", { class: "wrong", role: "alert" });
    const form = el(
      "form", { method: "dialog", on: { submit: submit } },
      el("h2", { id: "dialog-title" }, title),
      ...content,
      wrong,
      el(
        "p", { class: "actions" },
        el("button", { type: "submit", class: danger ? "danger" : "main" }, confirm),
        button("Cancel", () => dialog.close()),
      ),
    );
    const dialog = el(
      "dialog",
      { "aria-labelledby": "dialog-title", on: { close: () => { dialog.remove(); resolve(answer); } } },
      form,
    );
    function submit(event) {
      const sentence = check();
      if (sentence) { event.preventDefault(); wrong.textContent = sentence; return; }
      answer = read();
    }
    document.body.append(dialog);
    dialog.showModal();
  });
}

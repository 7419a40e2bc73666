// Two pictures side by side, and where the model looks.
import { post, send, show, showFile } from "./api.js";
import { button, el, tell } from "./dom.js";
import { attributesOf, circumstances, scoreText, shown } from "./words.js";

export function compare(context, file, candidate) {
  const mine = el("img", { alt: `The picture that was asked about, ${file.name}` });
  const theirs = el("img", { alt: `${candidate.identity}, entry ${candidate.entry}` });
  const wrong = el("p", { class: "wrong", role: "alert" });
  let looking = false;
  let drawing = null;
  const toggle = context.info.abilities.activation
    ? button("Show where the model looks", () => { looking = !looking; draw(); }, { "aria-pressed": "false" })
    : null;
  const note = el("p", { class: "hint" });

  async function draw() {
    wrong.textContent = "";
    if (toggle) {
      toggle.setAttribute("aria-pressed", String(looking));
      toggle.textContent = looking ? "Show the pictures" : "Show where the model looks";
    }
    note.textContent = looking ? "Bright regions weigh more in the vector of a picture. They do not prove why two pictures are alike." : "";
    drawing?.abort(); // a map that comes late must not replace a picture
    drawing = new AbortController();
    const { signal } = drawing;
    try {
      await Promise.all(looking
        ? [show(mine, "/v1/activation", { method: "POST", form: formOf(file), signal }), show(theirs, `/v1/entries/${candidate.entry}/activation`, { signal })]
        : [showFile(mine, file), show(theirs, `/v1/entries/${candidate.entry}/picture`, { signal })]);
    } catch (error) { if (error.name !== "AbortError") wrong.textContent = error.message; }
  }

  /** Keep the picture as one that does not show the candidate. */
  async function deny() {
    try {
      const response = await post(`/v1/identities/${candidate.number}/negatives`, { pictures: file }, null, { "If-Match": "*" });
      const { negatives } = await response.json();
      dialog.close();
      tell(
        `Pictures like this are no longer taken for ${candidate.identity}. It counts from the next search on.`,
        async () => {
          try {
            for (const one of negatives) await send("DELETE", `/v1/negatives/${one}`, null);
          } catch (error) { tell(error.message); }
        },
      );
    } catch (error) { wrong.textContent = error.message; }
  }

  const dialog = el(
    "dialog", { class: "compare", "aria-labelledby": "compare-title", on: { close: () => dialog.remove() } },
    el("h2", { id: "compare-title" }, `Is this ${candidate.identity}?`),
    el(
      "div", { class: "pair" },
      el("figure", {}, mine, el("figcaption", {}, file.name)),
      el("figure", {}, theirs, el("figcaption", {}, el("strong", {}, candidate.identity), ` · entry ${candidate.entry}`, el("br"), circumstances(candidate, true))),
    ),
    el(
      "dl", { class: "facts" },
      el("dt", {}, "Score"), el("dd", {}, scoreText(candidate.score)),
      el("dt", {}, "p-value"), el("dd", {}, shown(candidate.p)),
      el("dt", {}, "These two pictures"), el("dd", {}, `cosine ${scoreText(candidate.entry_score)}`),
      attributesOf(candidate).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
    ),
    note, wrong,
    el(
      "p", { class: "actions" }, toggle,
      context.may("enrol") && candidate.number ? button(`Not ${candidate.identity}`, deny) : null,
      candidate.number ? el("a", { class: "button", href: `#/identities/${candidate.number}`, on: { click: () => dialog.close() } }, `All pictures of ${candidate.identity}`) : null,
      button("Close", () => dialog.close(), { autofocus: true }),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  draw();
}

function formOf(file) {
  const form = new FormData();
  form.append("picture", file);
  return form;
}

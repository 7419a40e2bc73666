// Everybody who is enrolled.
import { get, show } from "./api.js";
import { button, el, failure, field, loading } from "./dom.js";
import { counted } from "./words.js";

const LIMIT = 60;

export async function identitiesPage(context) {
  const input = el("input", { type: "search", autocomplete: "off" });
  const list = el("ul", { class: "people" });
  const end = el("div", { class: "end" });
  const count = el("p", { class: "quiet", role: "status" });
  let turn = 0;

  async function load(after = 0) {
    const mine = after ? turn : ++turn;
    if (!after) end.replaceChildren(loading("Loading …"));
    try {
      const page = await get(`/v1/identities?limit=${LIMIT}&after=${after}&search=${encodeURIComponent(input.value.trim())}`);
      if (mine !== turn) return;
      const cards = page.identities.map(card);
      if (after) list.append(...cards);
      else list.replaceChildren(...cards);
      count.textContent = input.value.trim() ? `${counted(page.total, "identity", "identities")} with “${input.value.trim()}”` : counted(page.total, "identity", "identities");
      end.replaceChildren(...[
        page.next !== null && button("Show more", () => load(page.next)),
        !page.total && el("p", {}, input.value.trim() ? "No name has these letters in it." : "Nobody is enrolled yet."),
        !page.total && !input.value.trim() && context.may("enrol") && el("a", { class: "main button", href: "#/enrol" }, "Enrol pictures"),
      ].filter(Boolean));
    } catch (error) {
      if (mine === turn) end.replaceChildren(failure(error, () => load(after)));
    }
  }
  let waiting = 0;
  input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(load, 200); });
  await load();
  return {
    title: "Identities",
    content: el("div", { class: "identities" }, el("div", { class: "head" }, el("h1", {}, "Identities"), field("Find a name", input)), count, list, end),
    leave: () => clearTimeout(waiting),
  };
}

function card(identity) {
  const image = el("img", { alt: "", loading: "lazy", width: 256, height: 256 });
  if (identity.cover !== null) show(image, `/v1/entries/${identity.cover}/thumbnail?size=256`).catch(() => {});
  const hidden = identity.hidden === identity.entries ? "hidden" : identity.hidden ? `${identity.hidden} hidden` : null;
  return el(
    "li", {},
    el(
      "a", { href: `#/identities/${identity.number}`, class: hidden === "hidden" ? "hidden-one" : null },
      image, el("span", { class: "name" }, identity.name),
      el("span", { class: "quiet" }, [counted(identity.entries, "picture"), hidden].filter(Boolean).join(" · ")),
    ),
  );
}

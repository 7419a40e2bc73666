// The frame: pages by the part of the address behind "#", and what the service holds.
import { get, keepToken, Refusal, takeToken } from "./api.js";
import { auditPage } from "./audit.js";
import { button, el, failure, field, loading } from "./dom.js";
import { enrolPage } from "./enrol.js";
import { identitiesPage } from "./identities.js";
import { identityPage } from "./identity.js";
import { searchPage } from "./search.js";
import { counted } from "./words.js";

const PAGES = [
  { name: "search", label: "Search", right: "search", open: searchPage },
  { name: "enrol", label: "Enrol", right: "enrol", open: enrolPage },
  { name: "identities", label: "Identities", right: "search", open: (context, rest) => (rest ? identityPage(context, Number(rest)) : identitiesPage(context)) },
  { name: "audit", label: "Audit", right: "audit", if: (info) => info.abilities.audit, open: auditPage },
];

const main = document.getElementById("main");
let leave = () => {};
let visit = 0;

/** What every page is given. */
const context = { info: null, refresh, may: (right) => context.info.rights.includes(right), carried: null, answered: null };

async function refresh() {
  context.info = await get("/v1/info");
  const { gallery, entries, hidden, identities } = context.info;
  document.getElementById("gallery-name").textContent = gallery;
  const parts = [counted(identities, "identity", "identities"), counted(entries, "picture")];
  if (hidden) parts.push(`${hidden.toLocaleString("en")} hidden`);
  document.getElementById("gallery-counts").textContent = parts.join(", ");
}

async function open() {
  const [name, rest] = location.hash.replace(/^#\/?/, "").split("/");
  const turn = ++visit;
  leave();
  leave = () => {};
  main.replaceChildren(loading("Opening …"));
  try {
    await refresh();
    if (turn !== visit) return;
    const allowed = PAGES.filter((page) => context.may(page.right) && (page.if?.(context.info) ?? true));
    const page = allowed.find((one) => one.name === name) ?? allowed[0];
    if (!page) throw new Refusal(403, "This token may neither search nor enrol. Ask whoever runs the service for another.");
    drawPages(allowed, page);
    const opened = await page.open(context, rest);
    if (turn !== visit) { opened.leave?.(); return; }
    document.title = `${opened.title} · ${context.info.gallery}`;
    main.replaceChildren(opened.content);
    leave = opened.leave ?? leave;
    (main.querySelector("[autofocus]") ?? main).focus({ preventScroll: true });
    scrollTo(0, 0);
  } catch (error) {
    if (turn !== visit) return;
    if (error.status === 401) {
      context.answered = null;
      main.replaceChildren(tokenForm(error));
    } else if (error instanceof Refusal) main.replaceChildren(el("div", { class: "alone" }, failure(error, open)));
    else throw error;
  }
}

function drawPages(allowed, current) {
  document.getElementById("pages").replaceChildren(
    ...allowed.map((page) => el("a", { href: `#/${page.name}`, "aria-current": page === current ? "page" : null }, page.label)),
  );
}

function tokenForm(error) {
  const input = el("input", { type: "password", autocomplete: "off", required: true, autofocus: true });
  return el(
    "form", { class: "alone", on: { submit: (event) => { event.preventDefault(); keepToken(input.value.trim()); open(); } } },
    el("h1", {}, "This gallery needs a token"),
    el("p", {}, error.message),
    field("Token", input, "Whoever runs the service has it. It is kept for this tab only."),
    el("p", { class: "actions" }, el("button", { type: "submit", class: "main" }, "Open"), button("Forget the token", () => { keepToken(null); open(); })),
  );
}

takeToken();
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
// A browser would show a picture that is dropped beside its area in the place of this page.
for (const name of ["dragover", "drop"]) {
  addEventListener(name, (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
}
addEventListener("hashchange", () => { takeToken(); open(); });
open();

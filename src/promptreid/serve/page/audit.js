// What the gallery was used for, and whether that record is whole.
import { get } from "./api.js";
import { button, el, failure, fill, loading } from "./dom.js";
import { counted } from "./words.js";

export async function auditPage() {
  const list = el("ol", { class: "uses", reversed: true });
  const end = el("div", { class: "end" });
  const checked = el("p", { role: "status" });
  let head = null;

  async function load(before = null) {
    end.replaceChildren(loading("Loading …"));
    try {
      const page = await get(`/v1/audit?limit=50${before ? `&before=${before}` : ""}`);
      head = page.head;
      list.append(...page.records.map(use));
      fill(
        end,
        page.next && button("Show earlier ones", () => load(page.next)),
        !page.is_on && el("p", {}, "Uses of this gallery are not written down. Create it with --audit, or start the service so."),
        page.is_on && !head.count && el("p", {}, "It was not used yet."),
      );
    } catch (error) { end.replaceChildren(failure(error, () => load(before))); }
  }

  async function check() {
    checked.textContent = "Reading the whole record …";
    try {
      const { problems, head: found } = await get("/v1/audit/check");
      fill(
        checked,
        problems.length
          ? [el("strong", {}, "The record was changed."), el("br"), problems.map((one) => [`${one.number}: ${one.problem}`, el("br")])]
          : `All ${counted(found.count, "record")} are as they were written. The last digest is ${found.digest}; noted elsewhere, it shows later that nothing was written anew.`,
      );
    } catch (error) { checked.textContent = error.message; }
  }

  await load();
  return {
    title: "Audit",
    content: el(
      "div", { class: "audit" },
      el("h1", {}, "Audit"),
      el("p", {}, "Every use of the gallery, the latest first. Each record covers the one before, so that a change, a cut or an exchange shows."),
      el("p", { class: "actions" }, button("Check the record", check)), checked, list, end,
    ),
  };
}

function use(record) {
  const time = new Date(record.time).toISOString().slice(0, 19).replace("T", " ");
  const { kind, asked_by: who } = record.content ?? {};
  return el(
    "li", { value: record.number },
    el("p", {}, el("strong", {}, record.content ? kind ?? "use" : "erased"), ` · ${time} UTC`, who ? ` · ${who}` : ""),
    record.content
      ? el("details", {}, el("summary", {}, "What was written"), el("pre", {}, JSON.stringify(record.content, null, 2)))
      : el("p", { class: "quiet" }, "What was written here is erased; that it was here is not."),
  );
}

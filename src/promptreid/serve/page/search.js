// Search: who is on this picture?
import { post } from "./api.js";
import { compare } from "./compare.js";
import { answerPart } from "./answer.js";
import { button, el, failure, field, loading } from "./dom.js";
import { pictureArea } from "./files.js";
import { rateSlider } from "./rate.js";
import { counted } from "./words.js";

export async function searchPage(context) {
  const { info } = context;
  const results = el("section", { class: "results", "aria-label": "Answers", tabindex: "-1" });
  const slider = rateSlider(info);
  const conditions = conditionFields(info);
  let running = null;
  let asked = null;

  const words = info.abilities.text ? wordForm((question) => ask(question)) : null;

  const { area, paste } = pictureArea({
    invitation: "Who is on this picture? Drop it here, paste it, or choose it.",
    take: (files) => ask({ files }),
  });
  const onPaste = (event) => { if (!event.target.closest?.("input, textarea")) paste(event); };
  document.addEventListener("paste", onPaste);

  async function ask(question) {
    asked = question;
    context.answered = null;
    if (question.files) words?.offer(question.files[0]);
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    results.replaceChildren(loading(question.files ? `Looking at ${counted(question.files.length, "picture")} …` : "Looking …"));
    results.setAttribute("aria-busy", "true");
    try {
      const answers = question.text ? [await findWords(question, signal)] : await findPictures(question, signal);
      context.answered = { question, answers, conditions: conditions.keep() };
      draw(question, answers);
      results.focus({ preventScroll: true });
      results.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    } catch (error) {
      if (error.name === "AbortError") return;
      results.replaceChildren(failure(error, () => ask(question)));
    } finally {
      if (running?.signal === signal) results.removeAttribute("aria-busy");
    }
  }
  conditions.listen(() => asked && ask(asked));

  function draw(question, answers) {
    const shown = answers.map((answer, number) => answerPart(context, answer, question.files?.[number] ?? null, slider, compare));
    results.replaceChildren(...shown.map((part) => part.element));
    slider.listen(() => shown.forEach((part) => part.draw()));
  }

  /** Show what was answered before another page was looked at, as long as nothing was changed there. */
  function goOn({ question, answers, conditions: values }) {
    asked = question;
    if (question.files) words?.offer(question.files[0]);
    conditions.restore(values);
    draw(question, answers);
  }

  async function findPictures({ files }, signal) {
    const response = await post("/v1/search", { top: 10, pictures: files, ...conditions.read() }, signal);
    return (await response.json()).answers;
  }

  async function findWords({ text, picture }, signal) {
    const { other_cameras: _, ...values } = conditions.read();
    return (await post("/v1/search/text", { top: 10, text, picture, ...values }, signal)).json();
  }

  const content = el(
    "div", { class: "search" },
    el("h1", { class: "unseen" }, "Search"),
    info.identities === 0 ? emptyGallery(context) : [
      el("div", { class: "question" }, area, words?.element),
      el("div", { class: "settings" }, slider.element, conditions.element),
    ],
    results,
  );
  if (context.answered) goOn(context.answered);
  return { title: "Search", content, leave: () => { document.removeEventListener("paste", onPaste); running?.abort(); } };
}

function wordForm(ask) {
  const input = el("input", { type: "search", name: "text", placeholder: "a person in a red coat", enterkeyhint: "search" });
  const both = el("input", { type: "checkbox", id: "words-and-picture" });
  const offered = el("div", { class: "field check" }, both, el("label", { for: "words-and-picture" }, "Together with my picture"));
  let picture = null;
  offered.hidden = true;
  const submit = (event) => {
    event.preventDefault();
    if (input.value.trim()) ask({ text: input.value.trim(), picture: both.checked ? picture : null });
  };
  return {
    element: el(
      "form", { class: "words", role: "search", on: { submit } },
      field("Or describe what to find", input),
      el("button", { type: "submit" }, "Find"),
      offered,
    ),
    offer: (file) => { picture = file; offered.hidden = false; },
  };
}

function emptyGallery(context) {
  return el(
    "div", { class: "alone" },
    el("h2", {}, "Nobody is enrolled yet"),
    el("p", {}, "A search needs pictures to compare with. Enrol some of each identity: a folder for each, or a few at a time with a name."),
    context.may("enrol") ? el("p", {}, el("a", { class: "main button", href: "#/enrol" }, "Enrol pictures")) : null,
  );
}

function conditionFields(info) {
  const camera = el("input", { type: "text", autocomplete: "off" });
  const since = el("input", { type: "datetime-local" });
  const until = el("input", { type: "datetime-local" });
  const own = el("input", { type: "text", autocomplete: "off" });
  const other = el("input", { type: "checkbox", id: "other-cameras" });
  const fields = [camera, since, until, own];
  const clear = button("Clear", () => { for (const one of fields) one.value = ""; other.checked = false; listener(); });
  let listener = () => {};
  const element = el(
    "details", { class: "conditions" },
    el("summary", {}, "Conditions"),
    el(
      "form", { on: { submit: (event) => { event.preventDefault(); listener(); } } },
      field("Only this camera", camera, "Several with commas between"),
      field("Not before", since, "UTC"),
      field("Not after", until, "UTC"),
      field("Camera of my picture", own),
      el("div", { class: "field check" }, other, el("label", { for: "other-cameras" }, "Only pictures of other cameras")),
      el("p", { class: "actions" }, el("button", { type: "submit" }, "Apply"), clear),
    ),
  );
  return {
    element,
    listen: (called) => { listener = called; },
    keep: () => [...fields.map((one) => one.value), other.checked],
    restore: (values) => {
      fields.forEach((one, number) => { one.value = values[number]; });
      other.checked = values.at(-1);
      element.open = values.some(Boolean);
    },
    read: () => ({
      cameras: camera.value.split(",").map((one) => one.trim()).filter(Boolean),
      since: since.value, until: until.value, camera: own.value.trim(), other_cameras: other.checked ? "true" : "",
    }),
  };
}

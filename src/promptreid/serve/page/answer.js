// One answer: the verdict, the candidates, and the line below which they are nobody.
import { show, showFile } from "./api.js";
import { button, el, fill } from "./dom.js";
import { circumstances, decide, explain, isAccepted, oneIn, scoreText, severalDomains, shown } from "./words.js";

/**
 * Draw an answer; `draw` draws it anew after the slider was moved.
 * @param {File|null} file The picture that was asked about; null where words were.
 */
export function answerPart(context, answer, file, slider, compare) {
  const element = el("article", { class: "answer" });
  const picture = file && el("img", { class: "asked", alt: `The picture that was asked about, ${file.name}` });
  if (picture) showFile(picture, file);
  const head = el("div", { class: "verdict" });
  const cards = answer.candidates.map((candidate) => candidateCard(context, candidate, file, compare, severalDomains(answer.candidates)));
  const list = el("ol", { class: "candidates" });
  element.append(el("div", { class: "told" }, picture, head), list);

  function draw() {
    const rate = slider.rate();
    const verdict = file ? decide(answer, rate) : "words";
    const best = answer.candidates[0];
    element.dataset.verdict = verdict;
    fill(
      head,
      el("p", { class: "asked-name quiet" }, file ? file.name : `“${answer.text}”`),
      el("h2", {}, { identity: best?.identity, nobody: "Nobody who is enrolled", undecided: "Cannot be decided", words: "Ranked by likeness" }[verdict]),
      el("p", {}, file ? explain(answer, verdict, rate) : answer.explanation),
      file ? null : el("p", { class: "quiet" }, answer.remark),
      answer.denied?.length ? el("p", { class: "quiet" }, `Left out: ${answer.denied.map((one) => one.identity).join(", ")}; pictures that do not show them are more alike.`) : null,
      context.may("enrol") && file
        ? el("p", { class: "actions" }, button(verdict === "identity" ? `Enrol as ${best.identity}` : "Enrol this picture", () => {
          context.carried = { enrol: [file], name: verdict === "identity" ? best.identity : "" };
          location.hash = "#/enrol";
        }))
        : null,
    );
    const accepted = file && verdict !== "undecided" ? answer.candidates.filter((one) => isAccepted(one, rate)).length : 0;
    const line = el("li", { class: "line" }, el("span", {}, `Nobody from here on, at ${oneIn(rate)}`));
    cards.forEach((card, number) => card.classList.toggle("below", verdict !== "words" && number >= accepted));
    if (verdict === "words" || verdict === "undecided") list.replaceChildren(...cards);
    else list.replaceChildren(...cards.slice(0, accepted), line, ...cards.slice(accepted));
  }
  draw();
  return { element, draw };
}

function candidateCard(context, candidate, file, compare, domains) {
  const image = el("img", { alt: "", loading: "lazy", width: 256, height: 256 });
  show(image, `/v1/entries/${candidate.entry}/thumbnail?size=384`).catch(() => {});
  const bar = el("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--width", `${(1 - candidate.p) * 100}%`);
  const name = candidate.number
    ? el("a", { href: `#/identities/${candidate.number}` }, candidate.identity)
    : el("span", {}, candidate.identity);
  return el(
    "li", { class: "candidate" },
    file
      ? el("button", { type: "button", class: "picture", "aria-label": `Compare with ${candidate.identity}`, on: { click: () => compare(context, file, candidate) } }, image)
      : el("div", { class: "picture" }, image),
    el("p", { class: "name" }, name),
    el(
      "p", { class: "score" },
      file ? bar : null,
      el("span", {}, `score ${scoreText(candidate.score)}`),
      file ? el("span", {}, `p ${shown(candidate.p)}`) : null,
    ),
    el("p", { class: "quiet" }, circumstances(candidate, domains)),
  );
}

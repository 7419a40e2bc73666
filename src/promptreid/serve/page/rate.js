// The slider that says how many strangers may be taken for somebody.
import { el } from "./dom.js";
import { counted, oneIn } from "./words.js";

const STEPS = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

/** Whether the gallery is too small for one of the rates. */
const isLimited = (info) => info.least_rate > Math.min(...STEPS, info.rate);

/** Rates that the gallery can keep, from many strangers to as few as can be promised. */
export function ratesFor(info) {
  const rates = new Set([...STEPS, info.rate].filter((rate) => rate >= info.least_rate));
  if (isLimited(info)) rates.add(info.least_rate);
  return [...rates].sort((one, two) => two - one);
}

export function rateSlider(info) {
  const rates = ratesFor(info);
  const usual = Math.max(info.rate, info.least_rate);
  let listener = () => {};
  const input = el("input", {
    type: "range", id: "rate", min: 0, max: rates.length - 1, step: 1, value: rates.indexOf(usual),
    on: { input: () => { draw(); listener(); } },
  });
  const words = el("output", { for: "rate", class: "rate-words" });
  const note = el("p", { class: "hint" });
  const rate = () => rates[Number(input.value)];
  function draw() {
    const accepted = rate() >= 1 ? "No promise yet" : `Accept ${oneIn(rate())} strangers`;
    words.textContent = accepted;
    input.setAttribute("aria-valuetext", accepted);
    const least = rate() === rates.at(-1) && rates.length > 1 && isLimited(info)
      ? ` With ${counted(info.calibrating, "identity", "identities")} nothing stricter can be promised.` : "";
    note.textContent = rate() >= 1
      ? "Too few are enrolled to promise anything. Enrol more identities."
      : `Of strangers, ${oneIn(rate())} at most is taken for somebody.${least}`;
  }
  draw();
  return {
    element: el(
      "div", { class: "rate" },
      el("label", { for: "rate" }, "How sure must an answer be?"), words,
      el("div", { class: "range" }, el("span", { class: "hint" }, "more answers"), input, el("span", { class: "hint" }, "fewer mistakes")),
      note,
    ),
    rate,
    listen: (called) => { listener = called; },
  };
}

// Numbers, rates and times in words.

/** A rate as "1 in 20". */
export function oneIn(rate) {
  const count = 1 / rate;
  return `1 in ${count < 10 && count % 1 > 0.05 ? count.toFixed(1) : Math.floor(count + 1e-6).toLocaleString("en")}`;
}

/** A score with four digits, or as many as tell it from 1. */
export function scoreText(score) {
  const gap = 1 - Math.abs(score);
  const isRounding = gap <= 1e-6;
  return score.toFixed(isRounding ? 4 : Math.max(4, 1 - Math.floor(Math.log10(gap))));
}

export function strangersLike(p) {
  if (p > 0.5) return "More than half of all strangers match somebody here as well as this picture does";
  return `About 1 in ${Math.round(1 / p).toLocaleString("en")} strangers matches somebody here as well as this picture does`;
}

export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function when(seconds) {
  if (seconds === null || seconds === undefined) return null;
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Whether entries are of several domains, so that it is worth saying which. */
export function severalDomains(entries) {
  return new Set(entries.map((one) => one.domain)).size > 1;
}

/** Where and when an enrolled picture was taken, as one line. */
export function circumstances(entry, domains = false) {
  return [entry.camera && `camera ${entry.camera}`, when(entry.time), (domains && entry.domain) || null].filter(Boolean).join(" · ");
}

/** All that was told of an enrolled picture, as names and values. */
export function attributesOf(entry) {
  return Object.entries(entry.attributes ?? {}).filter(([, value]) => value !== "");
}

const ROUNDING = 1e-12;

/** The verdict on an answer at any rate: its p-values say it. */
export function decide(answer, rate) {
  if (!answer.candidates.length) return "nobody";
  if (answer.least_rate >= 1 || rate < answer.least_rate - ROUNDING) return "undecided";
  return isAccepted(answer.candidates[0], rate) ? "identity" : "nobody";
}

/** Whether a candidate is somebody at a rate. */
export function isAccepted(candidate, rate) {
  return candidate.p <= rate + ROUNDING;
}

export function explain(answer, verdict, rate) {
  const rests = `p ${shown(answer.p)}, ${counted(answer.identities, "identity", "identities")}`;
  if (!answer.candidates.length) return "No enrolled picture may answer. Widen the conditions, or enrol pictures first.";
  if (answer.least_rate >= 1) return `With ${counted(answer.identities, "identity", "identities")} there is too little to tell strangers by. Enrol more identities.`;
  if (verdict === "undecided") {
    return `With ${counted(answer.identities, "identity", "identities")} nothing stricter than ${oneIn(answer.least_rate)} can be promised. Enrol more, or accept more strangers.`;
  }
  const accepted = `you accept ${oneIn(rate)}`;
  return `${strangersLike(answer.p)}; ${accepted} (${rests}).`;
}

/** A p-value with the digits it has. */
export function shown(p) {
  return p >= 0.1 ? p.toFixed(2) : p.toPrecision(2);
}

/** Attributes as they are typed: "coat=red, bag=none". Throws a sentence. */
export function readAttributes(text) {
  const attributes = {};
  for (const part of text.split(",").map((one) => one.trim()).filter(Boolean)) {
    const [name, ...value] = part.split("=");
    if (!name.trim() || !value.length) throw new Error(`“${part}” is no attribute. Write name=value, several with commas between.`);
    attributes[name.trim()] = value.join("=").trim();
  }
  return attributes;
}

// Enrol: pictures of somebody, or a folder for each identity.
import { get, post, showFile } from "./api.js";
import { button, el, failure, field } from "./dom.js";
import { folderOf, pictureArea } from "./files.js";
import { counted, readAttributes } from "./words.js";

const AT_ONCE = 8;

export async function enrolPage(context) {
  let files = [];
  const name = el("input", { type: "text", autocomplete: "off", list: "known", required: true });
  const known = el("datalist", { id: "known" });
  const byFolder = el("input", { type: "checkbox", id: "by-folder" });
  const camera = el("input", { type: "text", autocomplete: "off" });
  const time = el("input", { type: "datetime-local" });
  const attributes = el("input", { type: "text", autocomplete: "off", placeholder: "coat=red, bag=none" });
  const chosen = el("div", { class: "chosen", "aria-live": "polite" });
  const progress = el("section", { class: "progress", "aria-label": "Progress" });
  const wrong = el("p", { class: "wrong", role: "alert" });
  const submit = el("button", { type: "submit", class: "main" }, "Enrol");
  let stopping = null;

  const { area, paste } = pictureArea({ invitation: "Drop pictures or folders here, paste, or choose them.", many: true, folders: true, take });
  const onPaste = (event) => { if (!event.target.closest?.("input, textarea")) paste(event); };
  document.addEventListener("paste", onPaste);

  name.addEventListener("input", async () => {
    try {
      const { identities } = await get(`/v1/identities?limit=10&search=${encodeURIComponent(name.value)}`);
      known.replaceChildren(...identities.map((one) => el("option", { value: one.name })));
    } catch { /* a suggestion less */ }
  });
  byFolder.addEventListener("change", draw);

  function take(more) {
    files = [...files, ...more];
    if (more.every(folderOf)) byFolder.checked = true;
    draw();
  }

  function draw() {
    const folders = new Set(files.map(folderOf).filter(Boolean));
    byFolder.parentElement.hidden = !folders.size;
    if (!folders.size) byFolder.checked = false;
    name.disabled = byFolder.checked;
    const pictures = files.slice(0, 24).map((file) => {
      const image = el("img", { alt: file.name, title: file.name });
      showFile(image, file);
      return image;
    });
    chosen.replaceChildren(...(files.length ? [
      el("p", {}, `${counted(files.length, "picture")}${byFolder.checked ? ` of ${counted(folders.size, "identity", "identities")}` : ""} `, button("Clear", () => { files = []; draw(); }, { class: "plain" })),
      el("div", { class: "thumbs" }, pictures, files.length > 24 ? el("span", { class: "more" }, `and ${(files.length - 24).toLocaleString("en")} more`) : null),
    ] : []));
    submit.textContent = files.length ? `Enrol ${counted(files.length, "picture")}` : "Enrol";
    submit.disabled = !files.length || stopping !== null;
  }

  async function enrol(event) {
    event.preventDefault();
    wrong.textContent = "";
    let values;
    try {
      const told = readAttributes(attributes.value);
      values = { camera: camera.value.trim(), time: time.value, attributes: Object.keys(told).length ? JSON.stringify(told) : "" };
    } catch (error) { wrong.textContent = error.message; attributes.focus(); return; }
    const nameless = byFolder.checked ? files.filter((file) => !folderOf(file)) : [];
    if (nameless.length) { wrong.textContent = `${nameless[0].name} lies in no folder, so it has no name. Enrol it by itself.`; return; }
    const groups = new Map();
    for (const file of files) {
      const identity = byFolder.checked ? folderOf(file) : name.value.trim();
      groups.set(identity, [...(groups.get(identity) ?? []), file]);
    }
    await upload(groups, values);
  }

  async function upload(groups, values) {
    context.answered = null;
    const total = files.length;
    const done = { added: 0, present: 0, other: [], refused: [] };
    const bar = el("progress", { max: total, value: 0, "aria-label": "Pictures enrolled" });
    const words = el("p", { role: "status" });
    stopping = new AbortController();
    const { signal } = stopping;
    const stop = button("Stop", () => stopping.abort());
    submit.disabled = true;
    progress.replaceChildren(bar, words, el("p", { class: "actions" }, stop));
    const begun = performance.now();
    let finished = 0;
    const advance = (count) => {
      finished += count;
      bar.value = finished;
      const left = ((performance.now() - begun) / finished) * (total - finished) / 1000;
      words.textContent = `${finished.toLocaleString("en")} of ${counted(total, "picture")}${left > 3 ? `, ${Math.ceil(left)} seconds left` : ""}`;
    };
    const sent = new Set();
    try {
      for (const [identity, pictures] of groups) {
        for (let start = 0; start < pictures.length; start += AT_ONCE) {
          const part = pictures.slice(start, start + AT_ONCE);
          await sendPart(identity, part, values, done, signal);
          part.forEach((file) => sent.add(file));
          advance(part.length);
        }
      }
    } catch (error) {
      if (error.name === "AbortError") done.stopped = true;
      else done.failure = error;
    }
    files = files.filter((file) => !sent.has(file)); // others may have come meanwhile
    await context.refresh().catch(() => {});
    stopping = null;
    progress.replaceChildren(...summary(done));
    draw();
  }

  async function sendPart(identity, pictures, values, done, signal) {
    let answer;
    try {
      answer = await (await post("/v1/entries", { ...values, identity, pictures }, signal)).json();
    } catch (error) {
      if (![413, 422].includes(error.status)) throw error;
      if (pictures.length === 1) { done.refused.push({ name: pictures[0].name, why: error.message }); return; }
      for (const picture of pictures) await sendPart(identity, [picture], values, done, signal); // the others are fine
      return;
    }
    done.added += answer.added;
    done.present += answer.pictures.filter((one) => one.status === "present").length;
    done.other.push(...answer.pictures.filter((one) => one.status === "other identity"));
  }

  function summary(done) {
    const parts = [`${counted(done.added, "picture")} enrolled`];
    if (done.present) parts.push(`${done.present.toLocaleString("en")} were there already`);
    const left = files.length;
    return [
      el("h2", {}, done.stopped ? "Stopped" : done.failure ? "Not all were enrolled" : "Done"),
      el("p", { role: "status" }, `${parts.join(", ")}.${left && (done.stopped || done.failure) ? ` ${counted(left, "picture")} ${left === 1 ? "waits" : "wait"}; Enrol goes on from there.` : ""}`),
      done.failure ? failure(done.failure) : null,
      done.other.length ? el("details", {}, el("summary", {}, `${counted(done.other.length, "picture")} enrolled under another name before, and left there`), el("ul", {}, done.other.map((one) => el("li", {}, `${one.picture}: ${one.identity}`)))) : null,
      done.refused.length ? el("details", { open: true }, el("summary", {}, `${counted(done.refused.length, "picture")} could not be used`), el("ul", {}, done.refused.map((one) => el("li", {}, `${one.name}: ${one.why}`)))) : null,
      el("p", { class: "actions" }, el("a", { class: "button", href: "#/search" }, "Search"), el("a", { class: "button", href: "#/identities" }, "Identities")),
    ].filter(Boolean);
  }

  const content = el(
    "div", { class: "enrol" },
    el("h1", {}, "Enrol"),
    area, chosen,
    el(
      "form", { class: "form", on: { submit: enrol } },
      field("Name", name, "Who all of these pictures show; made if it is new."), known,
      el("div", { class: "field check" }, byFolder, el("label", { for: "by-folder" }, "Each folder is an identity, and its name the name")),
      field("Camera", camera, "Optional. Searches can then leave out pictures of the same camera."),
      field("Taken", time, "Optional, UTC"),
      field("Attributes", attributes, "Optional"),
      wrong,
      el("p", { class: "actions" }, submit),
    ),
    progress,
  );
  draw();
  if (context.carried?.enrol) { name.value = context.carried.name; take(context.carried.enrol); context.carried = null; }
  return { title: "Enrol", content, leave: () => { document.removeEventListener("paste", onPaste); stopping?.abort(); } };
}

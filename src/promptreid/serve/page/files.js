// Pictures that somebody drops, pastes or chooses.
import { button, el } from "./dom.js";
import { counted } from "./words.js";

const AT_ONCE = 16; // pictures that are searched at a time

const isPicture = (file) => file.type.startsWith("image/") || /\.(jpe?g|png|webp|bmp|tiff?|gif|heic|avif)$/i.test(file.name);

/**
 * Make an area that takes pictures. A file of a folder knows its folder (`folderOf`).
 * @param {object} settings invitation (text), many, folders, take (called with files).
 */
export function pictureArea({ invitation, many = false, folders = false, take }) {
  const chosen = (event) => { give([...event.target.files]); event.target.value = ""; };
  const input = el("input", { type: "file", accept: "image/*", multiple: true, class: "unseen", tabindex: "-1", "aria-hidden": "true", on: { change: chosen } });
  const folder = folders && el("input", { type: "file", webkitdirectory: true, class: "unseen", tabindex: "-1", "aria-hidden": "true", on: { change: chosen } });
  const wrong = el("p", { class: "wrong", role: "alert" });
  const area = el(
    "div", { class: "drop", role: "group", "aria-label": invitation },
    el("p", { class: "invitation" }, invitation),
    el(
      "p", { class: "actions" },
      button(many ? "Choose pictures" : "Choose a picture", () => input.click(), { class: "main" }),
      folders && button("Choose a folder", () => folder.click()),
    ),
    input, folder, wrong,
  );
  function give(files) {
    const pictures = files.filter(isPicture);
    const others = files.filter((file) => !isPicture(file));
    const more = others.length > 1 ? ` and ${counted(others.length - 1, "other file")} are` : " is";
    wrong.textContent = others.length ? `${others[0].name}${more} no picture${others.length > 1 ? "s" : ""} and left out. JPEG, PNG, WebP, BMP and TIFF can be read.` : "";
    if (!many && pictures.length > AT_ONCE) wrong.textContent = `The first ${AT_ONCE} of ${pictures.length} pictures are looked at.`;
    if (pictures.length) take(many ? pictures : pictures.slice(0, AT_ONCE));
  }
  area.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("over"); });
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", async (event) => {
    event.preventDefault();
    area.classList.remove("over");
    give(await dropped(event.dataTransfer));
  });
  return { area, paste: (event) => { const files = [...event.clipboardData.files]; if (files.length) { event.preventDefault(); give(files); } } };
}

const paths = new WeakMap();

/** The name of the folder that a file lay in; null for a file that was chosen by itself. */
export function folderOf(file) {
  const parts = (paths.get(file) ?? file.webkitRelativePath ?? "").split("/");
  return parts.length > 1 ? parts.at(-2) : null;
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry, files) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    paths.set(file, entry.fullPath.replace(/^\//, ""));
    files.push(file);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const inner of part) await walk(inner, files);
  }
}

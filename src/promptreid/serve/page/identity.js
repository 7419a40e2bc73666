// One identity: its pictures, its name, and what can be done with both.
import { get, send, show } from "./api.js";
import { ask, button, el, failure, field, fill, tell } from "./dom.js";
import { circumstances, counted, severalDomains } from "./words.js";

export async function identityPage(context, number) {
  const content = el("div", { class: "identity" });
  const chosen = new Set();
  let identity = null;
  let entries = [];

  async function load() {
    ({ identity, entries } = await get(`/v1/identities/${number}`));
    for (const entry of [...chosen]) if (!entries.some((one) => one.entry === entry)) chosen.delete(entry);
    draw();
  }

  /** Do something; what has changed meanwhile is shown before it is asked for again. */
  async function change(work) {
    context.answered = null;
    try {
      await work();
    } catch (error) {
      if (error.status === 412) {
        await load();
        tell("Somebody changed this identity meanwhile. Look at it again; nothing was done.");
      } else tell(error.message);
    }
    await context.refresh().catch(() => {});
  }

  const path = `/v1/identities/${number}`;
  const rename = async () => {
    const input = el("input", { type: "text", value: identity.name, required: true, autocomplete: "off" });
    const before = identity.name;
    const name = await ask({ title: "Rename", content: [field("Name", input)], confirm: "Rename", read: () => input.value.trim(), check: () => (input.value.trim() ? null : "A name is needed.") });
    if (!name || name === before) return;
    await change(async () => {
      await send("PUT", `${path}/name`, { name, seen: identity.version });
      await load();
      tell(`Renamed to ${name}.`, () => change(async () => { await send("PUT", `${path}/name`, { name: before, seen: identity.version }); await load(); }));
    });
  };
  const annotate = async () => {
    const input = el("textarea", { rows: 4 }, identity.note);
    const note = await ask({ title: `Note on ${identity.name}`, content: [field("Note", input)], confirm: "Save", read: () => ({ text: input.value.trim() }) });
    if (note) await change(async () => { await send("PUT", `${path}/note`, { note: note.text, seen: identity.version }); await load(); });
  };
  const hide = (hiding) => change(async () => {
    await send("POST", `${path}/${hiding ? "hide" : "unhide"}`, { seen: identity.version });
    await load();
    tell(hiding ? `${identity.name} takes no part in answers.` : `${identity.name} takes part in answers again.`, () => hide(!hiding));
  });
  const hideChosen = (hiding, numbers = [...chosen]) => change(async () => {
    await send("POST", `/v1/entries/${hiding ? "hide" : "unhide"}`, { entries: numbers });
    chosen.clear();
    await load();
    tell(`${counted(numbers.length, "picture")} ${hiding ? "hidden" : "shown again"}.`, () => hideChosen(!hiding, numbers));
  });
  const split = async () => {
    const numbers = [...chosen];
    const input = el("input", { type: "text", required: true, autocomplete: "off" });
    const name = await ask({ title: `${counted(numbers.length, "picture")} of somebody else`, content: [field("Name", input, "Who they show. It must be new; to put them under somebody who is there, split first and merge then.")], confirm: "Split", read: () => input.value.trim(), check: () => (input.value.trim() ? null : "A name is needed.") });
    if (!name) return;
    await change(async () => {
      const made = await send("POST", `${path}/split`, { entries: numbers, name, seen: identity.version });
      chosen.clear();
      const whole = numbers.length === entries.length;
      if (whole) location.hash = `#/identities/${made.number}`;
      else await load();
      tell(`${counted(numbers.length, "picture")} went to ${made.name}.`, whole ? null : () => change(async () => {
        const fresh = await get(`/v1/identities/${made.number}`);
        await send("POST", `/v1/identities/${made.number}/merge`, { into: number, seen: fresh.identity.version });
        await load();
      }));
    });
  };
  const merge = async () => {
    const target = await chooseIdentity(number, `Who is ${identity.name} in truth?`);
    if (!target) return;
    const numbers = entries.map((one) => one.entry);
    const { name, note } = identity;
    await change(async () => {
      await send("POST", `${path}/merge`, { into: target.number, seen: identity.version });
      location.hash = `#/identities/${target.number}`;
      tell(`${name} went into ${target.name}.`, () => change(async () => {
        const fresh = await get(`/v1/identities/${target.number}`);
        const again = await send("POST", `/v1/identities/${target.number}/split`, { entries: numbers, name, seen: fresh.identity.version });
        if (note) await send("PUT", `/v1/identities/${again.number}/note`, { note, seen: again.version });
        location.hash = `#/identities/${again.number}`;
      }));
    });
  };
  const erase = async () => {
    const numbers = [...chosen];
    const all = !numbers.length || numbers.length === entries.length;
    const input = el("input", { type: "text", autocomplete: "off" });
    const sure = await ask({
      title: all ? `Erase ${identity.name}?` : `Erase ${counted(numbers.length, "picture")}?`,
      content: [
        el("p", {}, `Pictures, vectors and everything that was written about ${all ? "them" : "these pictures"} are removed from the store, and every file of it is searched for pieces afterwards. There is no way back. Hide takes them out of answers and can be undone.`),
        all ? field(`Type “${identity.name}” to erase it`, input) : null,
      ].filter(Boolean),
      confirm: "Erase for good", danger: true,
      check: () => (!all || input.value.trim() === identity.name ? null : "That is not the name."),
    });
    if (!sure) return;
    await change(async () => {
      const gone = all
        ? await send("DELETE", path, null, { "If-Match": `"${identity.version}"` })
        : await send("POST", "/v1/entries/erase", { entries: numbers });
      chosen.clear();
      if (gone.identities) location.hash = "#/identities";
      else await load();
      tell(`${counted(gone.entries, "picture")} erased. ${counted(gone.pieces, "piece")} of them were looked for in every file of the store; none is left.`);
    });
  };

  const bar = el("div", { class: "chosen-bar", role: "group", "aria-label": "Chosen pictures" });
  function drawBar() {
    const count = chosen.size;
    bar.hidden = !count;
    const hidden = entries.filter((one) => chosen.has(one.entry)).every((one) => one.hidden);
    bar.replaceChildren(
      el("span", {}, `${counted(count, "picture")} chosen`),
      ...(context.may("enrol") ? [button("Split off …", split), button(hidden ? "Show again" : "Hide", () => hideChosen(!hidden))] : []),
      ...(context.may("erase") ? [button("Erase …", erase, { class: "danger" })] : []),
      button("None", () => { chosen.clear(); draw(); }, { class: "plain" }),
    );
  }

  function draw() {
    const allHidden = entries.length > 0 && entries.every((one) => one.hidden);
    fill(
      content,
      el("p", {}, el("a", { href: "#/identities" }, "All identities")),
      el("div", { class: "head" }, el("h1", {}, identity.name), allHidden ? el("p", { class: "badge" }, "hidden: takes no part in answers") : null),
      identity.note ? el("p", { class: "note" }, identity.note) : null,
      el(
        "p", { class: "actions" },
        ...(context.may("enrol") ? [
          button("Add pictures", () => { context.carried = { enrol: [], name: identity.name }; location.hash = "#/enrol"; }),
          button("Rename …", rename), button(identity.note ? "Change note …" : "Add note …", annotate), button("Merge into …", merge),
          button(allHidden ? "Show again" : "Hide", () => hide(!allHidden)),
        ] : []),
        ...(context.may("erase") ? [button("Erase …", () => { chosen.clear(); erase(); }, { class: "danger" })] : []),
      ),
      el("ul", { class: "entries" }, entries.map(entryCard)),
      bar,
    );
    drawBar();
  }

  function entryCard(entry) {
    const image = el("img", { alt: "", loading: "lazy", width: 256, height: 256 });
    show(image, `/v1/entries/${entry.entry}/thumbnail?size=256`).catch(() => {});
    const id = `entry-${entry.entry}`;
    const box = el("input", { type: "checkbox", id, checked: chosen.has(entry.entry), on: { change: () => { box.checked ? chosen.add(entry.entry) : chosen.delete(entry.entry); drawBar(); } } });
    return el(
      "li", { class: entry.hidden ? "hidden-one" : null },
      el("label", { for: id }, image, el("span", { class: "unseen" }, `Choose entry ${entry.entry}`)), box,
      el("p", { class: "quiet" }, [entry.hidden && "hidden", circumstances(entry, severalDomains(entries))].filter(Boolean).join(" · ") || `entry ${entry.entry}`),
    );
  }

  await load();
  return { title: identity.name, content };
}

async function chooseIdentity(except, title) {
  const input = el("input", { type: "search", autocomplete: "off" });
  const list = el("div", { class: "choices", role: "radiogroup", "aria-label": "Identities" });
  let picked = null;
  let turn = 0;
  async function load() {
    const mine = ++turn;
    try {
      const { identities } = await get(`/v1/identities?limit=20&search=${encodeURIComponent(input.value.trim())}`);
      if (mine !== turn) return;
      const others = identities.filter((one) => one.number !== except);
      picked = null; // the list has no choice any more
      list.replaceChildren(...(others.length ? others.map((one) => {
        const radio = el("input", { type: "radio", name: "target", id: `target-${one.number}`, on: { change: () => { picked = one; } } });
        return el("div", { class: "choice" }, radio, el("label", { for: radio.id }, one.name, el("span", { class: "quiet" }, ` ${counted(one.entries, "picture")}`)));
      }) : [el("p", { class: "quiet" }, "Nobody else has these letters in the name.")]));
    } catch (error) { if (mine === turn) list.replaceChildren(failure(error)); }
  }
  let waiting = 0;
  input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(load, 200); });
  load();
  return ask({ title, content: [field("Find a name", input), list], confirm: "Merge", read: () => picked, check: () => (picked ? null : "Choose somebody first.") });
}

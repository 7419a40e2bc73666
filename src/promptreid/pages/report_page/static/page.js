"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const SVG = "http://www.w3.org/2000/svg";

  /* Light, dark, or as the system says: kept where the browser lets a page keep something. */
  const THEMES = ["auto", "light", "dark"];
  const recall = () => { try { return localStorage.getItem("promptreid-theme"); } catch { return null; } };
  const keep = (name) => { try { localStorage.setItem("promptreid-theme", name); } catch { /* private */ } };
  const button = document.createElement("button");
  button.type = "button";
  button.className = "theme";
  const setTheme = (name) => {
    if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
    button.value = name;
  };
  setTheme(THEMES.includes(recall()) ? recall() : "auto");
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(button.value) + 1) % THEMES.length];
    setTheme(next);
    keep(next);
  });
  document.querySelector(".top").append(button);

  /* Paper shows everything. */
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of closed) part.open = false; });

  /* A link to a folded part unfolds it. */
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const fold = target && (target.querySelector(":scope > details.fold") || target.closest("details"));
    if (fold) fold.open = true;
  };
  addEventListener("hashchange", unfold);
  for (const link of document.querySelectorAll('a[href^="#"]')) link.addEventListener("click", () => setTimeout(unfold));
  unfold();

  /* The whole command, however long, goes to the clipboard. */
  const command = document.getElementById("command");
  if (command) {
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "copy";
    copy.textContent = "Copy the command";
    const said = document.createElement("span");
    said.className = "quiet";
    said.setAttribute("role", "status");
    const select = () => {
      const range = document.createRange();
      range.selectNodeContents(command);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    };
    copy.addEventListener("click", async () => {
      let done = false;
      try {
        await navigator.clipboard.writeText(command.textContent);
        done = true;
      } catch {
        select();
        try { done = document.execCommand("copy"); } catch { /* the reader copies what is selected */ }
      }
      said.textContent = done ? " copied" : " selected; copy it with the keyboard";
    });
    command.parentElement.after(copy, said);
  }

  /* Only what is wider than its box can be scrolled: that takes the focus, and says so. */
  const boxes = document.querySelectorAll(".scroll");
  const measure = () => {
    for (const box of boxes) {
      const wide = box.scrollWidth > box.clientWidth + 1;
      if (wide) box.tabIndex = 0; else box.removeAttribute("tabindex");
      box.classList.toggle("wide", wide);
    }
  };
  addEventListener("resize", measure);
  for (const part of document.querySelectorAll("details")) part.addEventListener("toggle", measure);
  measure();

  /* Tables sort by the column that is pressed; rows stay below the heading of their run. */
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    if (Math.max(...[...table.tBodies].map((body) => body.rows.length)) < 2) continue;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const press = document.createElement("button");
      press.type = "button";
      press.append(...head.childNodes);
      head.append(press);
      press.addEventListener("click", () => sortBy(table, heads, head, column));
    });
  }
  function sortBy(table, heads, head, column) {
    const falling = head.getAttribute("aria-sort") !== "descending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const value = (row) => {
      const cell = row.cells[column];
      if (column === 0) return cell.textContent.trim();
      return cell.dataset.sort === undefined ? null : Number(cell.dataset.sort);
    };
    const compare = (a, b) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
      return falling ? -order : order;
    };
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("run"));
      rows.sort((a, b) => compare(value(a), value(b)));
      body.append(...rows);
    }
  }

  /* Maps: a point shows its picture, and lights up in all maps with its identity. */
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  const REACH = 16;

  for (const section of document.querySelectorAll(".maps")) setUp(section);

  function setUp(section) {
    const keys = section.parentElement.querySelectorAll(".identities [data-g]");
    const all = [...section.querySelectorAll(".pt")];
    let lit = null;

    for (const map of section.querySelectorAll(".map")) {
      const found = [...map.querySelectorAll(".pt")];
      const order = [...found].sort((a, b) => a.dataset.g - b.dataset.g);
      map.setAttribute("role", "group");
      for (const point of found) {
        const title = point.querySelector("title");
        point.setAttribute("role", "img");
        point.setAttribute("aria-label", title.textContent);
        title.remove();
        const move = point.transform.baseVal[0].matrix;
        point.place = [move.e, move.f];
        point.setAttribute("tabindex", "-1");
        point.addEventListener("focus", () => {
          map.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
          point.setAttribute("tabindex", "0");
          show(point);
        });
        point.addEventListener("blur", hide);
      }
      order[0]?.setAttribute("tabindex", "0");
      map.addEventListener("keydown", (event) => {
        const at = order.indexOf(document.activeElement);
        const to = {
          ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1,
          Home: 0, End: order.length - 1,
        }[event.key];
        if (event.key === "Escape") hide();
        if (to === undefined || at < 0) return;
        event.preventDefault();
        order[Math.min(order.length - 1, Math.max(0, to))].focus();
      });
      const pointed = (event) => {
        const box = map.getBoundingClientRect();
        const scale = box.width / map.viewBox.baseVal.width;
        let best = null, least = REACH;
        for (const point of found) {
          const away = Math.hypot(
            box.left + point.place[0] * scale - event.clientX,
            box.top + point.place[1] * scale - event.clientY,
          );
          if (away <= least) [best, least] = [point, away];
        }
        if (best) show(best); else hide();
      };
      map.addEventListener("pointermove", pointed);
      map.addEventListener("pointerdown", pointed);
      map.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
    }
    for (const key of keys) {
      key.addEventListener("pointerenter", () => light((point) => point.dataset.g === key.dataset.g));
      key.addEventListener("pointerleave", hide);
    }

    function light(same) {
      section.classList.add("busy");
      for (const point of all) point.classList.toggle("same", same(point));
    }
    function show(point) {
      if (lit === point && !tip.hidden) return;
      hide();
      lit = point;
      const { n, g } = point.dataset;
      light((other) => other === point || (g !== "-1" && other.dataset.g === g));
      for (const other of all) {
        if (other !== point && (n === "-1" || other.dataset.n !== n)) continue;
        const ring = document.createElementNS(SVG, "circle");
        ring.setAttribute("class", "ring");
        ring.setAttribute("r", "11");
        other.append(ring);
      }
      fill(point);
    }
    function hide() {
      if (!section.classList.contains("busy")) return;
      section.classList.remove("busy");
      for (const ring of section.querySelectorAll(".ring")) ring.remove();
      for (const point of all) point.classList.remove("same");
      tip.hidden = true;
      lit = null;
    }
  }

  function fill(point) {
    tip.replaceChildren();
    const symbol = point.dataset.p && document.getElementById(point.dataset.p);
    if (symbol) {
      const picture = document.createElementNS(SVG, "svg");
      picture.setAttribute("viewBox", symbol.getAttribute("viewBox"));
      const use = document.createElementNS(SVG, "use");
      use.setAttribute("href", `#${point.dataset.p}`);
      picture.append(use);
      const { width, height } = symbol.viewBox.baseVal;
      picture.style.aspectRatio = `${width} / ${height}`;
      tip.append(picture);
    }
    tip.append(point.getAttribute("aria-label"));
    tip.hidden = false;
    const at = point.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const gap = 10;
    const left = at.right + gap + own.width > innerWidth ? at.left - gap - own.width : at.right + gap;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - own.width - 8))}px`;
    tip.style.top = `${Math.max(8, Math.min(at.top - own.height / 2, innerHeight - own.height - 8))}px`;
  }
})();

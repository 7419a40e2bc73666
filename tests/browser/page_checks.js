/* What a reader would trip over, found in a page by the browser's own measures. */
(() => {
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const rgb = (text) => {
    const found = text.match(/[\d.]+/g).map(Number);
    return { channels: found.slice(0, 3), alpha: found.length > 3 ? found[3] : 1 };
  };
  const luminance = (channels) => {
    const [r, g, b] = channels.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.alpha === 1) return found.channels;
    }
    return [255, 255, 255];
  };
  const told = (element) => `${element.tagName}: ${element.textContent.trim().slice(0, 60)}`;

  window.pageChecks = {
    /** Text below 4.5 : 1 against what lies behind it, or 3 : 1 where it is large. */
    contrast() {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const poor = [];
      let count = 0;
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !seen(element)) continue;
        if (["SCRIPT", "STYLE", "title"].includes(element.tagName)) continue;
        const style = getComputedStyle(element);
        const drawn = element instanceof SVGElement;
        const letters = rgb(drawn ? style.fill : style.color);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight, 10) >= 700);
        const found = ratio(letters.channels, behind(element));
        count += 1;
        if (letters.alpha !== 1 || found < (large ? 3 : 4.5)) {
          poor.push(`${told(element)} (${found.toFixed(2)})`);
        }
      }
      return { count, poor };
    },
    /** Levels of the headings in the order of the page. */
    headings() {
      return [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((one) => Number(one.tagName[1]));
    },
    /** Pictures and drawings without a name. */
    nameless() {
      return [...document.querySelectorAll("img,svg,[role=img]")]
        .filter((one) => !one.closest("[aria-hidden=true]"))
        .filter((one) => !(one.getAttribute("aria-label") || one.getAttribute("alt") || one.querySelector(":scope > title")))
        .map((one) => one.outerHTML.slice(0, 120));
    },
    /** Words of figures that leave their figure. */
    cut() {
      const lost = [];
      for (const figure of document.querySelectorAll(".plot")) {
        const box = figure.getBoundingClientRect();
        for (const text of figure.querySelectorAll("text")) {
          const own = text.getBoundingClientRect();
          if (own.left < box.left - 2 || own.right > box.right + 2 || own.top < box.top - 2 || own.bottom > box.bottom + 2) {
            lost.push(told(text));
          }
        }
      }
      return lost;
    },
    /** How far the page itself is wider than the window. */
    overflow() {
      return document.documentElement.scrollWidth - document.documentElement.clientWidth;
    },
  };
})();

// On pages of a development server: draws finished pictures anew, and shows the candidates to choose from.
(() => {
  "use strict";
  const shared = window.gptImageServe; // by cards.js; not there in a frame of another site
  if (!shared) return;
  const {element, price, announce, endpoint, reasonOf, send, replaceImage} = shared;
  const REDRAW = "data-gpt-image-redraw";
  const OPEN = "gpt-image-strips";
  const figures = new Map(); // image → [{card, tools, strip, version}]
  const open = new Set(JSON.parse(sessionStorage.getItem(OPEN) ?? "[]")); // digests whose strips are shown
  let states = {};
  let timer = 0;

  const setOpen = (digest, isOpen) => {
    open[isOpen ? "add" : "delete"](digest);
    sessionStorage.setItem(OPEN, JSON.stringify([...open]));
  };
  const items = () => [...figures.values()].flat();
  const short = card => card.prompt.slice(0, 120);
  const button = (text, label, onclick) => {
    const made = element("button", {type: "button", onclick}, text);
    made.setAttribute("aria-label", `${text}: ${label}`);
    return made;
  };
  const isRunning = each => each.phase === "queued" || each.phase === "running";
  const candidatesOf = item => states[item.card.digest]?.candidates ?? [];

  const post = async (name, item, body) => {
    item.problem = "";
    try {
      states = {...states, ...(await send(name, item.card.token, body))};
    } catch (error) {
      item.problem = error.message;
      announce(error.message);
    }
    draw();
  };
  const ask = (item, count, retry = false) => {
    setOpen(item.card.digest, true);
    item.isAsked = true;
    draw();
    item.strip.focus({preventScroll: true});
    post("draw", item, {digests: [item.card.digest], count, retry}).finally(() => {
      item.isAsked = false;
      draw();
    });
  };
  const take = async (item, digest, words) => {
    await post("take", item, {digests: [digest]});
    if (item.problem) return;
    announce(`${words}: ${short(item.card)}`);
    (item.strip.querySelector(".gpt-image-strip__undo") ?? item.strip).focus({preventScroll: true});
  };

  // One candidate in full size; Escape closes it, and the focus returns to its thumbnail.
  const look = (item, candidate) => {
    const name = `Candidate ${candidate.number}`;
    const image = element("img", {src: new URL(candidate.picture, endpoint).href, alt: `${name}: ${short(item.card)}`});
    const dialog = element("dialog", {className: "gpt-image-look"}, image);
    const takeIt = button("Take it", name, () => {
      dialog.close();
      take(item, candidate.digest, "Taken");
    });
    const close = button("Close", name, () => dialog.close());
    dialog.append(element("div", {className: "gpt-image-look__row"}, element("span", {}, name), takeIt, close));
    dialog.setAttribute("aria-label", name);
    dialog.addEventListener("click", event => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      item.strip.querySelector(`[data-digest="${candidate.digest}"]`)?.focus({preventScroll: true});
    });
    document.body.append(dialog);
    dialog.showModal();
    takeIt.focus();
  };

  const tile = (item, each, previous) => {
    const name = each.digest === previous ? "Before" : `Candidate ${each.number}`;
    if (each.phase === "ready") {
      const image = element("img", {src: new URL(each.thumbnail, endpoint).href, alt: ""});
      const made = button("", `${name}, look at it large`, () => look(item, each));
      made.setAttribute("aria-label", `${name}, look at it large`);
      made.append(image, element("span", {}, name));
      made.dataset.digest = each.digest;
      return made;
    }
    const row = element("div", {className: "gpt-image-strip__state"}, element("span", {}, name), element("small", {}, reasonOf(each)));
    if (each.phase === "failed") {
      const isUnknown = each.again === "unknown";
      row.classList.add("gpt-image-panel__text--bad");
      if (isUnknown) row.append(element("small", {}, "It may be paid for already, and paid for twice."));
      row.append(button("Try again", name, () => ask(item, 1, isUnknown)));
    } else row.classList.add("gpt-image-panel__row--moves");
    return row;
  };

  // Builds a part of the page anew when it says something else; the focus stays on the button of the same name.
  const fill = (part, key, children) => {
    if (part.drawn === key) return;
    part.drawn = key;
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const label = active?.getAttribute("aria-label");
    part.replaceChildren(...children());
    if (!active || active === part) return;
    const same = [...part.querySelectorAll("button")].find(each => each.getAttribute("aria-label") === label);
    (same ?? part).focus({preventScroll: true});
  };

  const drawItem = item => {
    const {card, tools, strip} = item;
    const candidates = candidatesOf(item);
    const previous = states[card.digest]?.previous ?? "";
    const isBusy = item.isAsked || candidates.some(isRunning);
    const isOpen = open.has(card.digest) && (isBusy || candidates.length > 0 || Boolean(item.problem));
    const stored = candidates.filter(each => each.phase === "ready").length;
    const label = short(card);
    const one = price([card]);
    const three = price([{pays: {...card.pays, second: card.pays[card.digest], third: card.pays[card.digest]}}]);
    fill(tools, [isBusy, isOpen, stored].join(), () => {
      if (card.lacks) return [element("span", {}, `To draw it again, set ${card.lacks} and start the server again.`)];
      const dark = card.dark ? "Dark: " : "";
      const made = isBusy ? [element("span", {}, `${dark}Being drawn again`)] : [
        button(`${dark}Draw again · ${one}`, label, () => ask(item, 1)),
        button(`${dark}Draw three · ${three}`, label, () => ask(item, 3)),
      ];
      const show = () => {
        setOpen(card.digest, true);
        draw();
        strip.focus({preventScroll: true});
      };
      if (stored && !isOpen) made.push(button(stored === 1 ? "1 candidate" : `${stored} candidates`, label, show));
      return made;
    });
    strip.hidden = !isOpen;
    strip.classList.toggle("gpt-image-panel", isOpen);
    for (const each of candidates) {
      const before = item.phases[each.digest];
      if (before && before !== each.phase && each.phase === "ready") announce(`Candidate ${each.number} is there: ${label}`);
      if (before && before !== each.phase && each.phase === "failed") announce(`Candidate ${each.number}: ${each.text}`);
      item.phases[each.digest] = each.phase;
    }
    if (!isOpen) return;
    const shownOf = each => [each.digest, each.phase, each.step, each.text, each.again, each.picture];
    fill(strip, JSON.stringify([candidates.map(shownOf), previous, isBusy, item.problem]), () => {
      const tiles = element("div", {className: "gpt-image-strip__tiles"}, ...candidates.map(each => tile(item, each, previous)));
      const close = () => {
        setOpen(card.digest, false);
        draw();
        (tools.querySelector("button") ?? tools).focus({preventScroll: true});
      };
      const row = element("div", {className: "gpt-image-look__row"});
      if (item.problem) row.append(element("span", {className: "gpt-image-panel__text--bad"}, item.problem));
      if (previous) {
        const undo = button("Undo", label, () => take(item, previous, "The picture of before is back"));
        undo.classList.add("gpt-image-strip__undo");
        row.append(undo);
      }
      row.append(button(previous ? "Done" : "Keep the old one", label, close));
      return [tiles, row];
    });
  };

  const draw = () => {
    for (const [image, list] of figures)
      for (const item of list) {
        const state = states[item.card.digest];
        if (state?.version && state.version !== item.version) {
          item.version = state.version;
          replaceImage(image, new URL(state.picture, endpoint).href, Boolean(item.card.dark) && list.length > 1);
        }
        drawItem(item);
      }
  };

  const add = image => {
    const cards = JSON.parse(image.getAttribute(REDRAW));
    if (image.src.endsWith("#only-dark")) cards[0].dark = true;
    let place = image;
    while (place.parentElement?.matches("a, picture")) place = place.parentElement;
    const list = cards.map(card => {
      const tools = element("div", {className: "gpt-image-tools__row", tabIndex: -1});
      const strip = element("div", {className: "gpt-image-strip", tabIndex: -1, hidden: true});
      strip.setAttribute("role", "group");
      strip.setAttribute("aria-label", `Candidates: ${short(card)}`);
      return {card, tools, strip, version: card.version, phases: {}, problem: "", isAsked: false};
    });
    const tools = element("div", {className: "gpt-image-tools"}, ...list.map(item => item.tools));
    place.after(tools, ...list.map(item => item.strip));
    figures.set(image, list);
  };

  const search = () => {
    for (const [image, list] of figures)
      if (!image.isConnected) {
        for (const {tools, strip} of list) {
          tools.parentElement?.remove();
          strip.remove();
        }
        figures.delete(image);
      }
    const found = [...document.querySelectorAll(`img[${REDRAW}]`)].filter(image => !figures.has(image));
    found.forEach(add);
    if (!found.length) return;
    draw();
    follow();
  };

  const follow = async () => {
    clearTimeout(timer);
    timer = setTimeout(follow, 2000);
    if (!figures.size || document.hidden) return;
    const digests = [...new Set(items().map(item => item.card.digest))];
    try {
      states = {...states, ...(await send("candidates", items()[0].card.token, {digests}))};
      draw();
    } catch {
      // The cards tell when the server is gone; what was asked for is known to it when it is back.
    }
    clearTimeout(timer);
    timer = setTimeout(follow, items().some(item => candidatesOf(item).some(isRunning)) ? 400 : 1500);
  };

  const start = () => {
    search();
    new MutationObserver(search).observe(document.body, {childList: true, subtree: true});
    document.addEventListener("visibilitychange", follow);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

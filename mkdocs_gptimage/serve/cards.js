// On pages of a development server: offers to make the pictures that are not there, and follows those that are made.
(() => {
  "use strict";
  // In a frame of another site, a click may be meant for something else.
  try {
    if (window.top.location.origin !== location.origin) return;
  } catch {
    return;
  }
  const CARDS = "data-gpt-image-cards";
  const endpoint = new URL("serve/", document.currentScript.src);
  const panels = new Map(); // image → its cards, with a row each on the panel of its figure
  let states = {};
  let failures = 0;

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  // What all of these would pay for, each picture once: also those that they are drawn from.
  const price = cards => {
    const prices = Object.values(Object.assign({}, ...cards.map(card => card.pays)));
    if (prices.includes(null)) return "price not set";
    const sum = prices.reduce((before, each) => before + each, 0);
    return sum ? `$${Number(sum.toPrecision(4))}` : "free";
  };

  const post = async (name, body) => {
    const token = [...panels.values()][0]?.cards[0].token ?? "";
    const answer = await fetch(new URL(name, endpoint), {
      method: "POST",
      headers: {"Content-Type": "application/json", "X-Gpt-Image-Token": token},
      body: JSON.stringify(body),
    });
    const answered = await answer.json();
    if (!answer.ok) throw new Error(answered.problem);
    return answered.states;
  };

  const busy = state => state?.phase === "queued" || state?.phase === "running";

  // What a card says, and what its button does: {text, button, retry}; no button where there is nothing to ask for.
  const face = (card, state) => {
    const asked = [card.dark ? "Dark" : "", card.ask, price([card])].filter(Boolean).join(" · ");
    const parents = Object.keys(card.pays).filter(digest => digest !== card.digest).length;
    const more = parents ? `With ${parents === 1 ? "the picture" : `${parents} pictures`} that it is drawn from.` : "";
    const retry = {button: "Try again", note: "It may be paid for already, and paid for twice.", retry: true};
    if (state?.phase === "ready") return {text: "Ready"};
    if (state?.phase === "queued") return {text: "Queued", seconds: state.seconds};
    if (state?.phase === "running") return {text: "Running", seconds: state.seconds};
    if (state?.phase === "failed") {
      if (state.again === "unknown") return {text: state.text, bad: true, ...retry};
      const note = state.again === "free" ? "Trying again is free." : `Nothing was paid for it. Trying again: ${price([card])}`;
      return {text: state.text, bad: true, button: "Try again", note};
    }
    if (card.state === "unknown") return {text: `Outcome unknown: ${card.detail}`, bad: true, ...retry};
    if (card.state === "missing") {
      if (card.lacks) return {text: asked, note: `To make it, set ${card.lacks} and start the server again.`};
      return {text: asked, button: "Generate", note: more};
    }
    if (card.state === "in flight" && card.lacks) return {text: `In flight. Set ${card.lacks} to collect it.`};
    if (card.state === "in flight") return {text: "In flight"};
    if (card.state === "in hand") return {text: "Being made by another run"};
    return {text: `${card.state}: ${card.detail}`, bad: true};
  };

  const ask = async (digests, retry = false) => {
    for (const digest of digests) states[digest] = {phase: "queued", seconds: 0};
    draw();
    try {
      states = {...states, ...(await post("generate", {digests, retry}))};
    } catch (error) {
      for (const digest of digests) states[digest] = {phase: "failed", text: error.message, again: "paid"};
    }
    draw();
  };

  const drawCard = (row, card) => {
    const {text, button, note, retry, bad, seconds} = face(card, states[card.digest]);
    const shown = seconds === undefined ? text : `${text} · ${seconds} s`;
    const drawn = [shown, button, note, bad].join("\n");
    if (row.drawn === drawn) return;
    row.drawn = drawn;
    const focused = row.contains(document.activeElement);
    row.replaceChildren(element("span", {className: "gpt-image-panel__text"}, shown));
    row.firstChild.classList.toggle("gpt-image-panel__text--bad", Boolean(bad));
    if (note) row.append(element("small", {}, note));
    if (!button) return;
    const made = element("button", {type: "button", onclick: () => ask([card.digest], retry)}, button);
    made.setAttribute("aria-label", `${button}: ${card.prompt.slice(0, 120)}`);
    row.append(made);
    if (focused) made.focus();
  };

  const drawBar = () => {
    const cards = new Map([...panels.values()].flatMap(panel => panel.cards).map(card => [card.digest, card]));
    const open = [...cards.values()].filter(
      card => card.state === "missing" && !card.lacks && states[card.digest] === undefined,
    );
    let bar = document.querySelector(".gpt-image-bar");
    if (open.length < 2) return bar?.remove();
    const count = new Set(open.flatMap(card => Object.keys(card.pays))).size;
    const text = `Generate all (${count}, ${price(open)})`;
    if (!bar) document.body.append((bar = element("div", {className: "gpt-image-bar"}, element("button", {type: "button"}))));
    const button = bar.firstChild;
    if (button.textContent !== text) button.textContent = text;
    button.onclick = () => ask(open.map(card => card.digest));
  };

  const draw = () => {
    for (const panel of panels.values()) panel.cards.forEach((card, index) => drawCard(panel.rows[index], card));
    drawBar();
  };

  const open = image => {
    const cards = JSON.parse(image.getAttribute(CARDS));
    if (image.src.endsWith("#only-dark")) cards[0].dark = true;
    const rows = cards.map(() => element("div", {className: "gpt-image-panel__row"}));
    for (const row of rows) row.setAttribute("role", "status");
    // A picture and its twin, of which a palette hides one, share a panel.
    const figure = image.closest("figure") ?? image;
    const panel = [...panels.values()].find(each => each.figure === figure)?.panel ?? element("div", {className: "gpt-image-panel"});
    const outdated = cards.find(card => card.outdated);
    if (outdated) {
      image.classList.add("gpt-image-outdated");
      panel.append(
        element("strong", {}, "Outdated: the block now asks for"),
        element("span", {className: "gpt-image-panel__prompt"}, outdated.prompt),
      );
    }
    panel.append(...rows);
    let place = image;
    while (place.parentElement?.matches("a, picture")) place = place.parentElement;
    place.after(panel);
    panels.set(image, {cards, rows, panel, figure});
  };

  // Also what instant navigation puts into the page.
  const look = () => {
    for (const [image, {panel}] of panels)
      if (!image.isConnected) {
        panel.remove();
        panels.delete(image);
      }
    const found = [...document.querySelectorAll(`img[${CARDS}]`)].filter(image => !panels.has(image));
    found.forEach(open);
    if (found.length) follow();
  };

  const follow = async () => {
    if (!panels.size || document.hidden) return draw();
    const digests = [...new Set([...panels.values()].flatMap(panel => panel.cards.map(card => card.digest)))];
    try {
      const answered = await post("states", {digests});
      failures = 0;
      for (const digest of digests)
        if (answered[digest] || busy(states[digest])) states[digest] = answered[digest];
    } catch {
      // A server without an endpoint, or none any more: nothing can be asked for.
      failures += 1;
    }
    document.documentElement.classList.toggle("gpt-image-offline", failures > 1);
    draw();
  };

  const start = () => {
    look();
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
    setInterval(follow, 1000);
    document.addEventListener("visibilitychange", follow);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

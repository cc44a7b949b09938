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
  const RUNNING = {
    submitted: "Waiting in the service's queue",
    resumed: "In flight since an earlier run",
    leased: "Being made by another run",
    running: "Being drawn",
  };
  const FOCUSED = "gpt-image-focused";
  const SCHEME = "data-gpt-image-scheme";
  const endpoint = new URL("serve/", document.currentScript.src);
  const panels = new Map(); // image → its cards, with a row each on the panel of its figure
  let states = {};
  let site = {}; // what the server says of the whole site
  let failures = 0;
  let isGone = false;
  let timer = 0;
  let asksForMuch = false;

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

  const send = async (name, token, body) => {
    const answer = await fetch(new URL(name, endpoint), {
      method: "POST",
      headers: {"Content-Type": "application/json", "X-Gpt-Image-Token": token},
      body: JSON.stringify(body),
    });
    const answered = await answer.json();
    if (!answer.ok) throw new Error(answered.problem);
    site = answered.site;
    return answered.states;
  };
  const post = (name, body) => send(name, [...panels.values()][0]?.cards[0].token ?? "", body);

  // Changes that a screen reader is to say, once each; the seconds on the cards are not among them.
  const said = element("div", {className: "gpt-image-said"});
  said.setAttribute("role", "status");
  const announce = text => {
    if (!said.isConnected) document.body.append(said);
    said.append(element("p", {}, text));
    while (said.children.length > 5) said.firstChild.remove();
  };

  // What a picture that was asked for waits for, or why it failed.
  const reasonOf = state => {
    if (state.phase === "queued") return "Waiting for its turn here";
    return state.phase === "running" ? RUNNING[state.step] ?? "Running" : state.text;
  };

  const busy = state => state?.phase === "queued" || state?.phase === "running";

  // What a card says, and what its button does: {text, button, retry}; no button where there is nothing to ask for.
  const face = (card, state) => {
    const asked = [card.dark ? "Dark" : "", card.ask, price([card])].filter(Boolean).join(" · ");
    const parents = Object.keys(card.pays).filter(digest => digest !== card.digest).length;
    const more = parents ? `With ${parents === 1 ? "the picture" : `${parents} pictures`} that it is drawn from.` : "";
    const retry = {button: "Try again", note: "It may be paid for already, and paid for twice.", retry: true};
    if (isGone) return {text: "The server does not answer. Start it again; what was submitted is not lost."};
    if (state?.phase === "ready") return {text: "Ready"};
    if (busy(state)) return {text: reasonOf(state), seconds: state.seconds, moves: true};
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
    const {text, button, note, retry, bad, seconds, moves} = face(card, states[card.digest]);
    const drawn = [text, button, note, bad].join("\n");
    if (row.drawn !== drawn) {
      if (row.drawn !== undefined) announce(`${text}: ${card.prompt.slice(0, 120)}`);
      row.drawn = drawn;
      const focused = row.contains(document.activeElement);
      const time = element("span", {className: "gpt-image-panel__time"});
      row.replaceChildren(element("span", {className: "gpt-image-panel__text"}, element("span", {}, text), time));
      row.firstChild.classList.toggle("gpt-image-panel__text--bad", Boolean(bad));
      row.classList.toggle("gpt-image-panel__row--moves", Boolean(moves));
      if (note) row.append(element("small", {}, note));
      if (button) {
        const made = element("button", {type: "button", onclick: () => ask([card.digest], retry)}, button);
        made.setAttribute("aria-label", `${button}: ${card.prompt.slice(0, 120)}`);
        row.append(made);
      }
      // The card keeps the focus when its button goes.
      row.tabIndex = -1;
      if (focused) (row.querySelector("button") ?? row).focus({preventScroll: true});
    }
    row.querySelector(".gpt-image-panel__time").textContent = seconds === undefined ? "" : ` · ${seconds} s`;
  };

  // Shows another picture in an image, or in its sources for dark pages; the server's next build has web versions.
  const replaceImage = (image, url, isTwin) => {
    const fragment = /#only-(?:dark|light)$/.exec(image.getAttribute("src"))?.[0] ?? "";
    const sources = [...(image.closest("picture")?.querySelectorAll("source") ?? [])];
    const [dark, light] = [sources.filter(each => each.media), sources.filter(each => !each.media)];
    for (const source of isTwin ? dark : light) source.srcset = url;
    for (const source of isTwin ? dark : light) source.removeAttribute("type");
    if (!isTwin) {
      image.removeAttribute("srcset");
      image.src = url + fragment;
      const link = image.closest("a");
      if (link?.classList.contains("gpt-image__link") || link?.href.endsWith(".svg")) link.href = url;
    }
  };

  // Puts a picture that has been stored in the place of its placeholder.
  const show = (image, card) => {
    const {panel, cards, rows, figure} = panels.get(image);
    replaceImage(image, new URL(states[card.digest].picture, endpoint).href, card.dark && cards.length > 1);
    const row = rows[cards.indexOf(card)];
    const focused = row.contains(document.activeElement);
    row.remove();
    rows.splice(cards.indexOf(card), 1);
    cards.splice(cards.indexOf(card), 1);
    announce(`The picture is there: ${card.prompt.slice(0, 120)}`);
    if (focused) {
      figure.tabIndex = -1;
      figure.focus({preventScroll: true});
    }
    if (cards.length) return;
    image.removeAttribute(CARDS);
    image.classList.remove("gpt-image-outdated");
    panels.delete(image);
    if (!panel.querySelector(".gpt-image-panel__row")) panel.remove();
  };

  // Above the budget of a run, a click is only the question.
  const isMuch = (count, cards, {images, usd}) => {
    const sum = Object.values(Object.assign({}, ...cards.map(card => card.pays))).reduce((one, other) => one + other, 0);
    return (images !== null && count > images) || (usd !== null && sum > usd);
  };

  const drawBar = () => {
    const cards = new Map([...panels.values()].flatMap(panel => panel.cards).map(card => [card.digest, card]));
    const open = [...cards.values()].filter(
      card => card.state === "missing" && !card.lacks && states[card.digest] === undefined,
    );
    const counts = ["missing", "running", "failed"].filter(name => site[name]).map(name => `${site[name]} ${name}`);
    let bar = document.querySelector(".gpt-image-bar");
    if (failures > 1 || (!counts.length && open.length < 2)) return bar?.remove();
    if (!bar) {
      bar = element("div", {className: "gpt-image-bar"}, element("span"));
      bar.setAttribute("role", "region");
      bar.setAttribute("aria-label", "Pictures of this site");
      document.body.append(bar);
    }
    const text = [...counts, ...(site.spent ? [`${site.spent} spent`] : [])].join(" · ");
    if (bar.firstChild.textContent !== text) bar.firstChild.textContent = text;
    const count = new Set(open.flatMap(card => Object.keys(card.pays))).size;
    const buttons = [];
    if (open.length > 1 && asksForMuch) {
      buttons.push([`Above the budget: generate ${count} all the same, ${price(open)}`, () => ask(open.map(card => card.digest))]);
      buttons.push(["No", () => {}]);
    } else if (open.length > 1) {
      const all = () => (isMuch(count, open, open[0].budget) ? (asksForMuch = true) : ask(open.map(card => card.digest)));
      buttons.push([`Generate all (${count}, ${price(open)})`, all]);
    }
    const drawn = buttons.map(([label]) => label).join("\n");
    if (bar.drawn !== drawn) {
      bar.drawn = drawn;
      const focused = bar.contains(document.activeElement);
      const made = buttons.map(([label]) => element("button", {type: "button"}, label));
      bar.replaceChildren(bar.firstChild, ...made);
      if (focused) made[0]?.focus();
    }
    [...bar.querySelectorAll("button")].forEach((button, index) => {
      button.onclick = () => {
        asksForMuch = false;
        buttons[index][1]();
        draw();
      };
    });
  };

  const draw = () => {
    for (const [image, {cards}] of [...panels])
      for (const card of [...cards]) if (states[card.digest]?.picture) show(image, card);
    for (const panel of panels.values()) panel.cards.forEach((card, index) => drawCard(panel.rows[index], card));
    drawBar();
  };

  const open = image => {
    const cards = JSON.parse(image.getAttribute(CARDS));
    if (image.src.endsWith("#only-dark")) cards[0].dark = true;
    const rows = cards.map(() => element("div", {className: "gpt-image-panel__row"}));
    // A picture and its twin, of which a palette hides one, share a panel.
    const figure = image.closest("figure") ?? image;
    const panel = [...panels.values()].find(each => each.figure === figure)?.panel ?? element("div", {className: "gpt-image-panel"});
    const outdated = cards.some(card => card.outdated);
    image.classList.toggle("gpt-image-outdated", outdated);
    if (!panel.isConnected) {
      if (outdated) panel.append(element("strong", {}, "Outdated: the block now asks for"));
      panel.append(element("span", {className: "gpt-image-panel__prompt"}, cards[0].prompt));
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
    const focused = sessionStorage.getItem(FOCUSED);
    const panel = [...panels.values()].find(({cards}) => cards.some(card => card.digest === focused))?.panel;
    panel?.querySelector("button")?.focus({preventScroll: true});
    sessionStorage.removeItem(FOCUSED);
  };

  // The focus outlives the reload after a build.
  window.addEventListener("pagehide", () => {
    const focused = [...panels.values()].find(({panel}) => panel.contains(document.activeElement));
    if (focused) sessionStorage.setItem(FOCUSED, focused.cards[0].digest);
  });

  const follow = async () => {
    clearTimeout(timer);
    timer = setTimeout(follow, 1000);
    if (!panels.size || document.hidden) return draw();
    const digests = [...new Set([...panels.values()].flatMap(panel => panel.cards.map(card => card.digest)))];
    try {
      const answered = await post("states", {digests});
      failures = 0;
      isGone = false;
      for (const digest of digests)
        if (answered[digest] || busy(states[digest])) states[digest] = answered[digest];
    } catch (error) {
      // A server that does not answer these pages, or none any more: nothing can be asked for.
      failures += 1;
      isGone = error instanceof TypeError && failures > 1;
    }
    document.documentElement.classList.toggle("gpt-image-offline", failures > 1);
    draw();
    clearTimeout(timer);
    timer = setTimeout(follow, Object.values(states).some(busy) ? 300 : 1000);
  };

  // The colours of the page, whatever its theme lets decide: the system, a button, or nothing.
  const followColours = () => {
    const channels = [document.body, document.documentElement]
      .map(each => getComputedStyle(each).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [])
      .find(([, , , alpha = 1]) => alpha > 0.5);
    const [red, green, blue] = channels ?? [255, 255, 255];
    const scheme = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128 ? "dark" : "light";
    if (document.documentElement.getAttribute(SCHEME) === scheme) return;
    document.documentElement.setAttribute(SCHEME, scheme);
    // A browser does not draw a placeholder that it has loaded in other colours.
    for (const image of document.querySelectorAll(`img[${CARDS}][src*=".svg"]`)) image.src = image.getAttribute("src");
  };

  window.gptImageServe = {element, price, announce, endpoint, reasonOf, send, replaceImage};

  const start = () => {
    followColours();
    const colours = new MutationObserver(followColours);
    for (const each of [document.documentElement, document.body]) colours.observe(each, {attributes: true});
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", followColours);
    look();
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
    follow();
    document.addEventListener("visibilitychange", follow);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

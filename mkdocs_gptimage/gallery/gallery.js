"use strict";

const { pictures, problems, states, shows_costs: showsCosts } = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const byDigest = new Map(pictures.map((picture) => [picture.digest, picture]));
const short = (digest) => digest.slice(0, 12);

function money(usd) {
  const figures = String(Number(usd.toPrecision(4)));
  return `$${/\.\d\d/.test(figures) ? figures : usd.toFixed(2)}`;
}

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

function element(name, options = {}, ...children) {
  const { data = {}, ...properties } = options;
  const made = Object.assign(document.createElement(name), properties);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

function badge(picture) {
  const words = picture.number && picture.state === "candidate" ? `candidate ${picture.number}` : picture.state;
  return element("span", { className: "badge", data: { state: picture.state } }, element("span", { className: "dot" }), words);
}

function dimensions(picture) {
  return picture.width ? `${picture.width} × ${picture.height}` : "";
}

function price(picture) {
  if (picture.is_emulated) return "emulator";
  if (picture.cost !== null) return money(picture.cost);
  return picture.price === null ? "" : `costs ${money(picture.price)}`;
}

function placeName({ page, line, role }) {
  return `${page}${line === null ? "" : `:${line}`}${role ? ` (${role})` : ""}`;
}

function command(picture) {
  const parts = ["gptimage regenerate", `--accept ${short(picture.digest)}`];
  const text = parts.join(" ");
  const code = element("code", {}, ...parts.flatMap((part) => [element("span", { textContent: part }), " "]));
  const button = element("button", { type: "button", textContent: "Copy" });
  button.setAttribute("aria-label", `Copy the command that accepts candidate ${picture.number}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return element("div", { className: "command" }, code, button);
}

function blank(picture) {
  const box = element("span", { className: `blank ${picture.ratio < 4 / 3 ? "tall" : "wide"}`, textContent: states[picture.state] });
  box.style.aspectRatio = picture.ratio;
  return box;
}

function tone(node, picture) {
  if (picture.colour) node.style.setProperty("--tone", picture.colour);
  else node.style.removeProperty("--tone");
}

const images = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    target.src = byDigest.get(target.dataset.digest).thumb;
    images.unobserve(target);
  }
}, { rootMargin: "800px" });

function card(picture, place) {
  const mat = element("span", { className: "mat" });
  tone(mat, picture);
  if (picture.thumb) {
    const image = element("img", { alt: "", loading: "lazy", decoding: "async", data: { digest: picture.digest } });
    images.observe(image);
    mat.append(image);
  } else {
    mat.append(blank(picture));
  }
  if (picture.state !== "used") mat.append(badge(picture));
  const words = picture.prompt.length > 300 ? `${picture.prompt.slice(0, 300)}…` : picture.prompt;
  const prompt = element("span", { className: "prompt", dir: "auto", textContent: words || "no prompt recorded" });
  const open = element("button", { type: "button", className: "open", tabIndex: -1 }, mat, prompt);
  open.addEventListener("click", () => show(picture));
  open.addEventListener("focus", () => rove(picture));
  const facts = [picture.shape, picture.resolution, price(picture), picture.at.slice(0, 10)].filter(Boolean).join(" · ");
  const [first, ...more] = picture.places;
  const where = first ? `${placeName(first)}${more.length ? ` and ${more.length} more` : ""}` : aside(picture);
  const item = element("li", { className: "card", data: { state: picture.state } }, open,
    element("p", { className: "facts", textContent: facts }),
    element("p", { className: "where", textContent: where, title: where }));
  if (picture.state === "candidate") item.append(command(picture));
  return Object.assign(picture, { item, open, place, text: haystack(picture) });
}

function aside(picture) {
  const head = byDigest.get(picture.of);
  const whose = head && head.places.length ? placeName(head.places[0]) : picture.of && short(picture.of);
  if (picture.state === "outdated") return `was shown at ${whose}`;
  if (picture.of) return `for ${whose}`;
  return picture.detail || "no page asks for it";
}

function haystack(picture) {
  const { prompt, digest, state, variant, places, shape, resolution } = picture;
  return [prompt, digest, state, variant, shape, resolution, ...places.map(placeName)].join("\n").toLowerCase();
}

const ORDERS = {
  page: () => 0,
  date: (a, b) => (b.at > a.at) - (b.at < a.at),
  cost: (a, b) => (b.cost ?? -1) - (a.cost ?? -1),
  size: (a, b) => b.width * b.height - a.width * a.height || b.bytes - a.bytes,
};

let visible = [];
let current = null;
let large = null;
const chosen = new Set();

function group(all) {
  const groups = new Map();
  for (const picture of all) {
    if (!groups.has(picture.of)) groups.set(picture.of, []);
    groups.get(picture.of).push(picture);
  }
  return groups;
}

/* Candidates and replaced pictures stay beside their picture in every order. */
function arrange() {
  const heads = pictures.filter(({ of }) => !byDigest.has(of));
  const members = group(pictures);
  const branch = (picture) => [picture, ...(members.get(picture.digest) || []).flatMap(branch)];
  const order = ORDERS[find("sort").value];
  heads.sort((a, b) => order(a, b) || a.place - b.place);
  const ordered = heads.flatMap(branch);
  find("pictures").append(...ordered.map(({ item }) => item));
  pictures.splice(0, pictures.length, ...ordered);
}

function filter() {
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  visible = pictures.filter((picture) => (!chosen.size || chosen.has(picture.state))
    && words.every((word) => picture.text.includes(word)));
  const shown = new Set(visible);
  for (const picture of pictures) picture.item.hidden = !shown.has(picture);
  const paid = visible.filter(({ cost }) => cost !== null);
  const spent = paid.length ? `, ${money(paid.reduce((sum, { cost }) => sum + cost, 0))} spent` : "";
  const isAll = visible.length === pictures.length;
  find("count").textContent = isAll ? "" : `${visible.length} of ${plural(pictures.length, "picture", "pictures")}${spent}`;
  find("empty").hidden = visible.length > 0;
  if (!visible.includes(current) && visible.length) rove(visible[0]);
}

/* Roving tabindex: one picture is in the tab order, arrow keys move among the others. */
function rove(picture) {
  if (current) current.open.tabIndex = -1;
  current = picture;
  picture.open.tabIndex = 0;
}

function move(event) {
  const columns = getComputedStyle(find("pictures")).gridTemplateColumns.split(" ").length;
  const at = visible.indexOf(current);
  const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, Home: 0, End: visible.length - 1 };
  const target = visible[steps[event.key]];
  if (!(event.key in steps)) return;
  event.preventDefault();
  if (target) target.open.focus();
}

function fact(name, ...content) {
  if (content.some((each) => each !== "")) find("large-facts").append(element("dt", { textContent: name }), element("dd", {}, ...content));
}

function places(picture) {
  return picture.places.map((place) => element("div", {}, place.href
    ? element("a", { href: place.href, textContent: placeName(place) }) : placeName(place)));
}

function size(picture) {
  const requested = [picture.shape, picture.resolution].filter(Boolean).join(", ");
  const weight = picture.bytes ? `${(picture.bytes / 1e6).toFixed(2)} MB ${picture.format}` : "";
  return [requested, dimensions(picture), weight].filter(Boolean).join(" · ");
}

function facts(picture) {
  find("large-facts").replaceChildren();
  fact("Pages", ...places(picture));
  fact("Size", size(picture));
  if (picture.is_emulated) fact("Cost", "free: drawn by the emulator");
  else if (picture.at && showsCosts) fact("Cost", picture.cost === null ? "not reported by the service" : money(picture.cost));
  else if (picture.price !== null) fact("Price", money(picture.price));
  fact("Made", [picture.at.replace("T", " ").replace("Z", " UTC"), picture.service && `by ${picture.service}`,
    picture.seconds ? `in ${Math.round(picture.seconds)} s` : ""].filter(Boolean).join(" "));
  fact("Variant", picture.state === "candidate" ? "" : picture.variant);
  fact("Drawn from", ...picture.references.map((reference) => element("div", { textContent: reference })));
  fact("Digest", element("code", { textContent: picture.digest }));
  if (picture.full) fact("File", element("a", { href: picture.full, target: "_blank", rel: "noopener", textContent: "Open the picture by itself" }));
}

function stage(picture) {
  const image = find("large-image");
  tone(image.parentElement, picture);
  image.parentElement.style.setProperty("--ratio", picture.ratio);
  find("large-blank").hidden = Boolean(picture.thumb);
  find("large-blank").replaceChildren(picture.thumb ? "" : blank(picture));
  image.hidden = !picture.thumb;
  if (!picture.thumb) return;
  image.src = picture.thumb;
  image.alt = picture.prompt.slice(0, 300);
  if (!picture.full) return;
  const whole = element("img", { src: picture.full });
  whole.addEventListener("load", () => { if (large === picture) image.src = picture.full; });
}

function family(picture) {
  const head = byDigest.get(picture.of) || picture;
  const candidates = pictures.filter(({ of, state }) => of === head.digest && state === "candidate");
  find("large-family").hidden = !candidates.length || !head.thumb;
  find("large-family").replaceChildren(...[head, ...candidates].filter(({ thumb }) => thumb).map((member) => {
    const words = member === head ? "now" : `candidate ${member.number}`;
    const button = element("button", { type: "button" }, element("img", { src: member.thumb, alt: "" }), words);
    button.setAttribute("aria-pressed", member === picture);
    button.addEventListener("click", () => {
      show(member);
      find("large-family").querySelector("[aria-pressed=true]").focus();
    });
    return button;
  }));
  const isCandidate = picture.state === "candidate";
  find("large-accept").hidden = !isCandidate;
  find("large-accept").replaceChildren(...(isCandidate ? ["To take this one instead:", command(picture)] : []));
}

function show(picture) {
  large = picture;
  rove(picture);
  const at = visible.indexOf(picture);
  stage(picture);
  facts(picture);
  family(picture);
  find("large-prompt").textContent = picture.prompt || "no prompt recorded";
  find("large-state").replaceChildren(badge(picture), ...[picture.detail, picture.of && aside(picture)].filter(Boolean)
    .map((words) => element("small", { textContent: words })));
  find("position").textContent = at < 0 ? "" : `${at + 1} of ${visible.length}`;
  find("previous").disabled = at <= 0;
  find("next").disabled = at < 0 || at >= visible.length - 1;
  history.replaceState(null, "", `#${short(picture.digest)}`);
  if (!find("large").open) find("large").showModal();
  document.querySelector(".about").scrollTop = 0;
}

function step(by) {
  const target = visible[visible.indexOf(large) + by];
  if (target) show(target);
}

function chips() {
  const counts = group(pictures.map(({ state }) => ({ of: state })));
  for (const state of Object.keys(states).filter((each) => counts.has(each))) {
    const button = element("button", { type: "button", data: { state } },
      element("span", { className: "dot" }), state, element("b", { textContent: counts.get(state).length }));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      if (!chosen.delete(state)) chosen.add(state);
      button.setAttribute("aria-pressed", chosen.has(state));
      filter();
    });
    find("states").append(button);
  }
}

function summary() {
  const paid = pictures.filter(({ cost }) => cost !== null);
  const unreported = pictures.filter(({ at, cost, is_emulated }) => at && cost === null && !is_emulated).length;
  const parts = [plural(pictures.length, "picture", "pictures")];
  if (paid.length) parts.push(`${money(paid.reduce((sum, { cost }) => sum + cost, 0))} spent`);
  if (unreported && showsCosts) parts.push(`cost of ${unreported} unknown`);
  const missing = pictures.filter(({ state }) => state === "missing");
  if (missing.length && missing.every((each) => each.price !== null)) {
    parts.push(`${money(missing.reduce((sum, each) => sum + each.price, 0))} to make the ${missing.length} missing`);
  }
  find("summary").textContent = parts.join(" · ");
  find("problems").hidden = !problems.length;
  find("problems").querySelector("summary").textContent = `${plural(problems.length, "block", "blocks")} with problems: their pictures are not listed`;
  find("problems").querySelector("ul").append(...problems.map((problem) => element("li", { textContent: problem })));
}

function reset() {
  chosen.clear();
  for (const button of find("states").children) button.setAttribute("aria-pressed", "false");
  find("search").value = "";
  filter();
  find("search").focus();
}

function listen() {
  find("search").addEventListener("input", filter);
  find("search").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && visible.length) {
      event.preventDefault();
      visible[0].open.focus();
    }
  });
  find("sort").addEventListener("change", () => {
    arrange();
    filter();
  });
  find("pictures").addEventListener("keydown", (event) => { if (event.target.className === "open") move(event); });
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("close").addEventListener("click", () => find("large").close());
  find("large").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
    }
  });
  find("large").addEventListener("click", (event) => { if (event.target === find("large")) find("large").close(); });
  find("large").addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    // The browser has given the focus back to the card that was opened first.
    if (!large.item.hidden) large.open.focus();
  });
  document.addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !find("large").open;
    if (event.key === "/" && isPlain && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      find("search").focus();
      find("search").select();
    }
  });
}

pictures.forEach(card);
chips();
summary();
listen();
arrange();
filter();
const again = element("button", { type: "button", textContent: "Show all" });
again.addEventListener("click", reset);
find("empty").append(pictures.length ? "Nothing matches." : "This site has no pictures yet.", ...(pictures.length ? [again] : []));
const linked = pictures.find(({ digest }) => location.hash.length > 6 && digest.startsWith(location.hash.slice(1)));
if (linked) show(linked);

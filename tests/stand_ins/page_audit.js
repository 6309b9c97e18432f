// Checks of a loaded page, as Lighthouse and WCAG 2.2 (level AA) have them; returns [rule, what] for each failure.
// Run after a key was pressed, so that the browser shows the focus.
const failures = [];
const fail = (rule, element, more = "") => {
  const name = element.id ? `#${element.id}` : (element.getAttribute("class") ?? "").split(" ")[0];
  failures.push([rule, `${element.localName}${name} "${element.textContent.trim().slice(0, 40)}" ${more}`.trim()]);
};
const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const shown = (selector) => [...document.querySelectorAll(selector)].filter(isShown);

// The document.
if (!document.documentElement.lang) failures.push(["lang", "the document names no language"]);
if (!document.title.trim()) failures.push(["title", "the document has no title"]);
const viewport = document.querySelector('meta[name="viewport"]')?.content ?? "";
if (!viewport.includes("width=device-width")) failures.push(["viewport", `meta viewport is "${viewport}"`]);
if (/user-scalable=no|maximum-scale=1\b/.test(viewport)) failures.push(["viewport", "forbids to zoom"]);
const { scrollWidth, clientWidth } = document.documentElement;
if (scrollWidth > clientWidth) failures.push(["overflow", `${scrollWidth} pixels in a window of ${clientWidth}`]);

// Headings: one of the first level, and no level left out.
const headings = shown("h1, h2, h3, h4, h5, h6");
if (headings.filter((heading) => heading.localName === "h1").length !== 1) {
  failures.push(["headings", `h1: ${headings.filter((heading) => heading.localName === "h1").length}, expected 1`]);
}
headings.reduce((before, heading) => {
  const level = Number(heading.localName[1]);
  if (level > before + 1) fail("headings", heading, `after a heading of level ${before}`);
  return level;
}, 0);

for (const image of document.querySelectorAll("img:not([alt]), [role=img]:not([aria-label], [aria-labelledby])")) {
  fail("alt", image, image.src);
}
// Within charts, nothing refers to the names that matplotlib gives their parts.
const ids = [...document.querySelectorAll("[id]:not(svg *)")].map(({ id }) => id);
for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) failures.push(["id", `${id} is there twice`]);

// Contrast: each text against the first ground below it. Colours go over a canvas, which gives any of them as bytes.
const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
const known = new Map();
const bytes = (colour) => {
  if (!known.has(colour)) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    known.set(colour, [...context.getImageData(0, 0, 1, 1).data]);
  }
  return known.get(colour);
};
const linear = (value) => (value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const over = (colour, below) => below.map((value, i) => (colour[i] * colour[3] + value * (255 - colour[3])) / 255);
const grounds = new Map([[null, [255, 255, 255, 255]]]);
const ground = (element) => {
  if (!grounds.has(element)) {
    const colour = bytes(getComputedStyle(element).backgroundColor);
    grounds.set(element, over(colour, ground(element.parentElement)));
  }
  return grounds.get(element);
};
for (const element of shown("body *")) {
  const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!isText || element.closest(":disabled, [aria-disabled=true], option, svg, script, style")) continue;
  const style = getComputedStyle(element);
  const below = ground(element);
  const [one, other] = [over(bytes(style.color), below), below].map(luminance);
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) fail("contrast", element, `${ratio.toFixed(2)} to 1`);
}

// What can be operated: a name, a size or distance for fingers, and a focus that is seen and in the order of the page.
const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex], [role=tab]";
const controls = shown(CONTROLS).filter((element) => !element.disabled && element.getClientRects().length);
// A link that appears with the focus only, to skip what comes first, is beside whatever it covers.
const before = document.activeElement;
const TARGETS = "a[href], button, input, select, textarea, summary, [role=tab]";
const TEXT = "p, li, td, th, dd, dt, pre, h1, h2, h3, h4, figcaption";
const isInText = (element) => getComputedStyle(element).display === "inline" && element.closest(TEXT);
for (const element of controls) {
  const measure = () => (element.closest("label") ?? element).getBoundingClientRect();
  const { width, height } = measure();
  const isLarge = width >= 24 && height >= 24;
  if (!element.matches(TARGETS) || isLarge || width <= 1 || height <= 1 || isInText(element)) continue;
  // A small one may lie where a circle of 24 pixels around it touches no other.
  element.scrollIntoView({ block: "center", behavior: "instant" });
  const { left, right, top, bottom } = measure();
  const find = (dx, dy) => document.elementFromPoint((left + right) / 2 + dx, (top + bottom) / 2 + dy);
  if (!element.contains(find(0, 0))) continue;
  const around = [[-12, 0], [12, 0], [0, -12], [0, 12], [-8, -8], [8, -8], [-8, 8], [8, 8]];
  const others = around.map(([dx, dy]) => find(dx, dy)?.closest(TARGETS));
  const isOther = (other) => other && other !== before && !other.contains(element) && !element.contains(other);
  const near = others.find(isOther)?.textContent.trim();
  if (near !== undefined) fail("target", element, `${width.toFixed()} by ${height.toFixed()} pixels, beside ${near}`);
}
const look = (element) => {
  const style = getComputedStyle(element);
  const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 ? style.outline : "";
  return [outline, style.boxShadow, style.borderColor, style.backgroundColor, style.textDecoration, style.color].join();
};
const kinds = new Set();
for (const element of controls) {
  if (element.tabIndex > 0) fail("order", element, `tabindex ${element.tabIndex}`);
  // Of links that look alike, one stands for all: each is a change of the page's style.
  const kind = [element, element.parentElement].map((one) => `${one.localName} ${one.className} ${one.id}`).join();
  if (kinds.has(kind)) continue;
  kinds.add(kind);
  // Text fields show a caret.
  const isText = element.matches("textarea, input:is([type=text], [type=password], :not([type]))");
  if (element.tabIndex < 0 || isText) continue;
  element.blur();
  const plain = look(element);
  element.focus({ preventScroll: true, focusVisible: true });
  // Where the browser shows no focus at all, there is nothing to compare.
  if (element.matches(":focus-visible") && look(element) === plain) fail("focus", element, "looks the same with it");
}
before?.focus?.({ preventScroll: true });
return failures;

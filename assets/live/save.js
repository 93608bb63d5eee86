/** A picture as a file of its own, named after its run and what it shows. */
import { element } from "./dom.js";
import { t } from "./words.js";

const SLOW = 60_000;

/** The buttons that save a picture. title: says what is saved as which {kind}; act: takes "PNG" or "SVG". */
export function pictures(title, act) {
  const button = (kind) => {
    const said = t(title, { kind });
    const node = element("button", { type: "button", class: "gn-quiet", title: said, "aria-label": said }, kind);
    node.addEventListener("click", () => act(kind));
    return node;
  };
  return element("div", { class: "gn-pictures" }, [button("PNG"), button("SVG")]);
}

/** Save a picture of `what` as "PNG" or "SVG". draw: makes its SVG text, given what stands beside it. */
export async function save(panel, what, kind, draw) {
  const file = new Blob([draw(words(panel))], { type: "image/svg+xml" });
  const name = ["gradnorm", panel.lead.id, what].join("-").replace(/[^\w.-]+/g, "_");
  hand(kind === "SVG" ? file : await painted(file), `${name}.${kind.toLowerCase()}`);
}

/** What stands beside the lines: which run, with which settings, and where it can be seen. */
function words({ lead, shared, run }) {
  const title = shared ? t("{run} ({key}) among {count} runs", { run: run.title, key: lead.key, count: lead.panel.members.length }) : run.title;
  const settings = run.settings ?? [];
  return { run: title, settings: settings.join(" · "), address: address(lead.id) };
}

/** The page's address with the run and the view, without the settings that the run has anyway. */
function address(run) {
  const query = new URLSearchParams(location.search);
  if (!query.has("run")) return location.href;
  const kept = [...query].filter(([key]) => key.startsWith("view.")).map(([key, value]) => `&${key}=${value}`);
  return `${location.origin}${location.pathname}?run=${run}${kept.join("")}`;
}

/** An SVG as a PNG of the same size. */
async function painted(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  URL.revokeObjectURL(url);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function hand(file, name) {
  const url = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), SLOW);
}

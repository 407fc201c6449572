// Draws handles over a scan's outline and keeps the form beside it in step: centre, ends of both callipers, and a line of
// known length for the scale. Mouse, touch and keyboard. Without scripts the numbers in the form do the same.
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function element(name, attributes, parent) {
  const made = document.createElementNS(parent.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

// Ramanujan's second approximation: below 0.001 % of the exact perimeter for heads; the server computes it exactly.
function perimeter(a, b) {
  const h = ((a - b) / (a + b)) ** 2;
  return Math.PI * (a + b) * (1 + (3 * h) / (10 + Math.sqrt(4 - 3 * h)));
}

function handle(svg, label, move) {
  const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
  svg.setAttribute("role", "group"); // the parts of a picture would be hidden from a screen reader
  const dot = element("circle", { class: "handle", r: width / 90, tabindex: 0, role: "slider", "aria-label": label, "aria-valuetext": "" }, svg);
  const point = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  dot.addEventListener("pointerdown", (event) => { dot.setPointerCapture(event.pointerId); event.preventDefault(); dot.focus(); });
  dot.addEventListener("pointermove", (event) => { if (dot.hasPointerCapture(event.pointerId)) { const p = point(event); move(p.x, p.y); } });
  dot.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    const size = event.shiftKey ? 10 : 1;
    move(Number(dot.getAttribute("cx")) + size * step[0], Number(dot.getAttribute("cy")) + size * step[1]);
  });
  return (x, y) => {
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    dot.setAttribute("aria-valuenow", Math.round(x));
    dot.setAttribute("aria-valuetext", `${Math.round(x)}, ${Math.round(y)} pixels`);
  };
}

function editOutline(svg, details) {
  const form = details.querySelector("form");
  const shown = details.querySelector("[data-circumference]");
  const read = () => Object.fromEntries(["centre_x", "centre_y", "semi_major", "semi_minor", "angle"].map((n) => [n, Number(form.elements[n].value)]));
  const write = (values) => { for (const [n, v] of Object.entries(values)) form.elements[n].value = Math.round(v * 1000) / 1000; draw(); };
  let group;
  const places = {};
  const axis = (name, turn) => (x, y) => {
    const e = read();
    const length = Math.max(6, Math.hypot(x - e.centre_x, y - e.centre_y));
    e[name] = length;
    e.angle = Math.atan2(y - e.centre_y, x - e.centre_x) + turn;
    if (e.semi_minor > e.semi_major) e[name] = name === "semi_major" ? e.semi_minor : e.semi_major;
    e.angle = Math.atan2(Math.sin(e.angle), Math.cos(e.angle));
    write(e);
  };
  function draw() {
    const e = read();
    if (!group) {
      svg.querySelectorAll(".head.shown").forEach((old) => old.classList.replace("shown", "model"));
      group = element("g", { class: "head shown" }, svg);
      group.ellipse = element("ellipse", { class: "outline", fill: "none" }, group);
      group.long = element("line", { class: "calliper" }, group);
      group.short = element("line", { class: "calliper" }, group);
      places.centre = handle(svg, "Centre of the head", (x, y) => write({ ...read(), centre_x: x, centre_y: y }));
      places.right = handle(svg, "Occipitofrontal calliper, one end", axis("semi_major", 0));
      places.left = handle(svg, "Occipitofrontal calliper, other end", axis("semi_major", Math.PI));
      places.down = handle(svg, "Biparietal calliper, one end", axis("semi_minor", -Math.PI / 2));
      places.up = handle(svg, "Biparietal calliper, other end", axis("semi_minor", Math.PI / 2));
    }
    group.setAttribute("transform", `translate(${e.centre_x} ${e.centre_y}) rotate(${(e.angle * 180) / Math.PI})`);
    group.ellipse.setAttribute("rx", e.semi_major);
    group.ellipse.setAttribute("ry", e.semi_minor);
    for (const [line, key, length] of [[group.long, "x", e.semi_major], [group.short, "y", e.semi_minor]]) {
      line.setAttribute(`${key}1`, -length);
      line.setAttribute(`${key}2`, length);
    }
    const [c, s] = [Math.cos(e.angle), Math.sin(e.angle)];
    places.centre(e.centre_x, e.centre_y);
    places.right(e.centre_x + e.semi_major * c, e.centre_y + e.semi_major * s);
    places.left(e.centre_x - e.semi_major * c, e.centre_y - e.semi_major * s);
    places.down(e.centre_x - e.semi_minor * s, e.centre_y + e.semi_minor * c);
    places.up(e.centre_x + e.semi_minor * s, e.centre_y - e.semi_minor * c);
    const scale = Number(shown.dataset.circumference);
    const pixels = perimeter(e.semi_major, e.semi_minor);
    shown.textContent = scale ? `${(pixels * scale).toFixed(1)} mm` : `${pixels.toFixed(0)} pixels`;
  }
  details.addEventListener("toggle", () => { if (details.open) draw(); });
  form.addEventListener("input", () => { if (details.open) draw(); });
}

function editCalliper(svg, details) {
  const form = details.querySelector("form");
  const label = details.querySelector("[data-calliper-length]");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const ends = [[width * 0.1, height * 0.2], [width * 0.1, height * 0.8]];
  let line, places;
  function draw() {
    if (!line) {
      label.hidden = false;
      line = element("line", { class: "ruler" }, svg);
      places = ends.map((end, i) => handle(svg, `Line of known length, end ${i + 1}`, (x, y) => { ends[i] = [x, y]; draw(); }));
    }
    ends.forEach(([x, y], i) => {
      line.setAttribute(`x${i + 1}`, x);
      line.setAttribute(`y${i + 1}`, y);
      places[i](x, y);
    });
    const length = label.querySelector("input").value.trim().replace(",", ".");
    form.elements.calliper.value = length ? [...ends.flat().map((v) => v.toFixed(1)), length].join(",") : "";
  }
  details.addEventListener("toggle", () => { if (details.open) draw(); });
  label.querySelector("input").addEventListener("input", draw);
}

for (const svg of document.querySelectorAll("[data-outline]")) {
  const figure = svg.closest("figure");
  const outline = figure.querySelector("[data-outline-form]");
  const calliper = figure.querySelector("[data-calliper-form]");
  if (outline) editOutline(svg, outline);
  if (calliper) editCalliper(svg, calliper);
}

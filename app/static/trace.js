// Takes the server's SVG trace over with uPlot: paper ratio locked, scroll like paper, keyboard cursor.
const box = document.getElementById("trace");
const controls = document.querySelector("[data-trace-controls]");
const reading = document.querySelector("[data-trace-reading]");
const PX_PER_CM = 38;
const BPM_PER_CM = 30;
let speed = 1;
let data;
let plots = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function minutes(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function band(plot) {
  const top = plot.valToPos(160, "y", true);
  plot.ctx.fillStyle = colour("--band");
  plot.ctx.fillRect(plot.bbox.left, top, plot.bbox.width, plot.valToPos(110, "y", true) - top);
}

const LETTERS = { early: "E", late: "L", variable: "V", prolonged: "P", gradual: "G" };

function marks(plot, events, ink, atTop) {
  plot.ctx.fillStyle = colour(ink);
  plot.ctx.font = `${11 * devicePixelRatio}px sans-serif`;
  plot.ctx.textAlign = "center";
  const height = 6 * devicePixelRatio;
  for (const event of events) {
    const left = plot.valToPos(event.start_s, "x", true);
    const y = atTop ? plot.bbox.top : plot.bbox.top + plot.bbox.height - height;
    plot.ctx.fillRect(left, y, plot.valToPos(event.end_s, "x", true) - left, height);
    if (LETTERS[event.kind]) plot.ctx.fillText(LETTERS[event.kind], plot.valToPos(event.peak_s, "x", true), y - height / 2);
  }
}

function axis(values) {
  const grid = { stroke: colour("--grid-strong"), width: 0.7 };
  return { stroke: colour("--text-soft"), grid, ticks: { show: false }, ...values };
}

function options(height, width, range, splits, series, draw) {
  return {
    width, height,
    cursor: { sync: { key: "ctg" }, drag: { x: false, y: false } },
    legend: { show: false },
    scales: { x: { time: false, range: [0, data.seconds.at(-1)] }, y: { range } },
    axes: [
      axis({ size: 24, splits: (_, __, min, max) => everyMinute(min, max), values: (_, ticks) => ticks.map((t) => (t % 600 === 0 ? `${t / 60} min` : "")) }),
      axis({ size: 44, splits: () => splits }),
    ],
    series: [{}, ...series],
    hooks: { drawClear: [draw[0]], draw: [draw[1]], setCursor: [announce] },
  };
}

function everyMinute(min, max) {
  const ticks = [];
  for (let t = Math.ceil(min / 60) * 60; t <= max; t += 60) ticks.push(t);
  return ticks;
}

function baselineAt(seconds) {
  return seconds.map((t) => data.baseline[Math.min(Math.floor(t / 15), data.baseline.length - 1)]);
}

let pending;
function announce(plot) {
  const index = plot.cursor.idx;
  if (index == null) return;
  clearTimeout(pending);
  pending = setTimeout(() => {
    const fhr = data.fhr[index] == null ? "lost" : `${Math.round(data.fhr[index])} bpm`;
    const toco = data.toco?.[index] == null ? "" : `, contraction ${Math.round(data.toco[index])}`;
    reading.textContent = `${minutes(data.seconds[index])}: ${fhr}${toco}`;
  }, 120);
}

function draw() {
  // The right edge keeps its share of the trace: a new speed or theme never goes back to the first minutes.
  const seen = plots.length ? (box.scrollLeft + box.clientWidth) / box.scrollWidth : 1;
  for (const plot of plots) plot.destroy();
  box.textContent = "";
  const width = Math.max(400, (data.seconds.at(-1) / 60) * speed * PX_PER_CM + 60);
  // Rates of 30 to 50 bpm are rare and alarming: the paper then reaches down to them.
  const lowest = data.fhr.some((v) => v != null && v < 50) ? 30 : 50;
  const height = ((210 - lowest) / BPM_PER_CM) * PX_PER_CM + 40;
  const levels = lowest === 30 ? [30, 60, 90, 120, 150, 180, 210] : [60, 90, 120, 150, 180, 210];
  const heart = [
    { stroke: colour("--ink"), width: 1, spanGaps: false, points: { show: false } },
    { stroke: "#7a4cc2", width: 1.3, dash: [6, 3], points: { show: false } },
  ];
  const fhr = options(height, width, [lowest, 210], levels, heart, [
    band,
    (p) => { marks(p, data.events.accelerations, "--low", true); marks(p, data.events.decelerations, "--high", false); },
  ]);
  plots = [new uPlot(fhr, [data.seconds, data.fhr, baselineAt(data.seconds)], box)];
  if (data.toco) {
    const top = Math.max(100, ...data.toco.filter((v) => v != null));
    const activity = [{ stroke: colour("--accent"), width: 1.2, spanGaps: false, points: { show: false } }];
    const uc = options(130, width, [0, top], [0, 50, 100], activity, [() => {}, (p) => marks(p, data.events.contractions ?? [], "--accent", false)]);
    plots.push(new uPlot(uc, [data.seconds, data.toco], box));
  }
  requestAnimationFrame(() => { box.scrollLeft = seen * box.scrollWidth - box.clientWidth; });
}

function move(step) {
  const plot = plots[0];
  const index = Math.min(Math.max((plot.cursor.idx ?? 0) + step, 0), data.seconds.length - 1);
  const left = plot.valToPos(data.seconds[index], "x");
  plot.setCursor({ left, top: 20 });
  box.scrollLeft = Math.max(0, left - box.clientWidth / 2);
}

box?.addEventListener("keydown", (event) => {
  if (!plots.length || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  move((event.key === "ArrowRight" ? 1 : -1) * (event.shiftKey ? 120 : 4));
});

for (const button of document.querySelectorAll("[data-speed]")) {
  button.addEventListener("click", () => {
    speed = Number(button.dataset.speed);
    for (const other of document.querySelectorAll("[data-speed]")) other.setAttribute("aria-pressed", String(other === button));
    draw();
  });
}

document.addEventListener("themechange", () => data && draw());

if (box) {
  const response = await fetch(box.dataset.source, { credentials: "same-origin" });
  if (response.ok) {
    data = await response.json();
    draw();
    controls.hidden = false;
  }
}

"use strict";
// A writing: { pad: {width, height, baseline}, pointer, strokes }, a stroke a list of [x, y, t]: CSS pixels from the upper
// left corner of the pad, y downwards, and milliseconds since the pen first touched it for this word.

const LINE = 0.68, MIDDLE = 0.44; // where the baseline and the top of small letters lie, as shares of the pad's height
const PAUSE = 500; // ms between the strokes of before and those of after the page was opened again
const SVG = "http://www.w3.org/2000/svg";

const rounded = (value) => Math.round(value * 100) / 100;

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// The path of a stroke: through the middles between its points, each point bending it.
function path(points) {
  const [[x, y]] = points;
  if (points.length === 1) return `M${x} ${y}h0.01`;
  let drawn = `M${x} ${y}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [px, py] = points[i], [qx, qy] = points[i + 1];
    drawn += `Q${px} ${py} ${rounded((px + qx) / 2)} ${rounded((py + qy) / 2)}`;
  }
  const [lx, ly] = points[points.length - 1];
  return `${drawn}L${lx} ${ly}`;
}

class Pad {
  // svg: where is written. ended(strokes, pad, pointer): called with all strokes of the word after each.
  constructor(svg, ended) {
    this.svg = svg;
    this.ended = ended;
    this.pen = false; // a pen was seen: from then on a finger is the palm of the hand that holds it
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.up(event));
    svg.addEventListener("pointercancel", (event) => this.cancel(event));
    svg.addEventListener("lostpointercapture", (event) => this.finish(event));
    for (const name of ["touchstart", "contextmenu", "dragstart"]) {
      svg.addEventListener(name, (event) => event.preventDefault(), { passive: false });
    }
    new ResizeObserver(() => this.show(this.writing)).observe(svg);
    this.show(null);
  }

  size() {
    const { clientWidth: width, clientHeight: height } = this.svg;
    return { width, height, baseline: Math.round(height * LINE) };
  }

  // Show a writing on a pad of the size that it was written on; null: an empty pad of the size that there is.
  show(writing) {
    this.writing = writing;
    if (this.stroke) return; // the pad is turned while it is written on: afterwards
    const { width, height, baseline } = this.frame = writing ? writing.pad : this.size();
    const middle = Math.round(baseline * MIDDLE / LINE);
    this.svg.setAttribute("viewBox", `0 0 ${width || 1} ${height || 1}`);
    const across = { x1: 12, x2: Math.max(12, width - 12) };
    this.svg.replaceChildren(
      element("line", { ...across, y1: baseline, y2: baseline, class: "line" }),
      element("line", { ...across, y1: middle, y2: middle, class: "line faint" }),
      ...(writing ? writing.strokes : []).map((points) => element("path", { d: path(points), class: "ink" })),
    );
  }

  point(event) {
    const box = this.svg.getBoundingClientRect(), { width, height } = this.frame;
    const inner = { width: this.svg.clientWidth, height: this.svg.clientHeight };
    const scale = Math.min(inner.width / width, inner.height / height);
    const left = box.left + this.svg.clientLeft + (inner.width - width * scale) / 2;
    const top = box.top + this.svg.clientTop + (inner.height - height * scale) / 2;
    const time = Math.max(this.last, event.timeStamp - this.origin);
    this.last = time;
    return [rounded((event.clientX - left) / scale), rounded((event.clientY - top) / scale), rounded(time)];
  }

  add(event) {
    const points = this.stroke, before = points[points.length - 1], now = this.point(event);
    if (!before || now[0] !== before[0] || now[1] !== before[1]) points.push(now);
  }

  down(event) {
    if (event.pointerType === "pen") this.pen = true;
    const palm = this.pen && event.pointerType === "touch";
    if (this.stroke || palm || event.button !== 0 || !this.frame.width) return;
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    const strokes = this.writing ? this.writing.strokes : [];
    if (!strokes.length) [this.origin, this.last] = [event.timeStamp, 0];
    else if (this.begun !== strokes[0]) {
      const latest = strokes[strokes.length - 1];
      this.last = latest[latest.length - 1][2];
      this.origin = event.timeStamp - this.last - PAUSE;
    }
    this.id = event.pointerId;
    this.stroke = [];
    this.add(event);
    this.drawn = this.svg.appendChild(element("path", { d: path(this.stroke), class: "ink" }));
  }

  move(event) {
    if (!this.stroke || event.pointerId !== this.id) return;
    const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const one of all.length ? all : [event]) this.add(one);
    this.drawn.setAttribute("d", path(this.stroke));
  }

  up(event) {
    if (!this.stroke || event.pointerId !== this.id) return;
    this.add(event);
    this.finish(event);
  }

  finish(event) { // by itself where the browser takes the pointer away without an end, as for a dialogue
    if (!this.stroke || event.pointerId !== this.id) return;
    const strokes = [...(this.writing ? this.writing.strokes : []), this.stroke];
    this.begun = strokes[0];
    this.stroke = null;
    this.ended(strokes, this.frame, event.pointerType || "mouse");
  }

  cancel(event) { // the browser took the finger for something else
    if (!this.stroke || event.pointerId !== this.id) return;
    this.stroke = null;
    this.show(this.writing);
  }
}

"use strict";
(() => {
  const task = JSON.parse(document.getElementById("inside-task").textContent);
  const values = Uint8Array.from(atob(task.values), sign => sign.charCodeAt(0));
  const size = task.labels.length, part = name => document.getElementById(name);
  const [layer, unit, slide, signal] = ["layer", "unit", "slide", "signal"].map(part);
  const reading = part("reading"), DARKEST = 58, STRONGEST = 8;
  let here = -1;

  // After each character what a signal of a unit was: the part of `values` (layers, signals, units, characters).
  const row = (layer, signal, unit) => {
    const start = ((layer * task.signals.length + signal) * task.hidden + unit) * size;
    return values.subarray(start, start + size);
  };
  const number = (signal, byte) => task.signed[signal] ? (byte - 127) / 127 : byte / 254;
  const written = value => value.toFixed(2).replace("-", "−");
  const colour = value => {
    const share = Math.round(DARKEST * Math.abs(value));
    return share ? `color-mix(in srgb, var(--series-${value < 0 ? 2 : 1}) ${share}%, transparent)` : "";
  };
  const colours = [true, false].map(signed =>
    Array.from({ length: 256 }, (_, byte) => colour(signed ? (byte - 127) / 127 : byte / 254)));

  const spans = task.labels.map((label, place) => {
    const span = document.createElement("span");
    span.textContent = label;
    span.dataset.place = place;
    return span;
  });
  reading.append(...spans);

  const options = (select, names) => select.append(...names.map((name, value) => new Option(name, value)));
  options(layer, Array.from({ length: task.layers }, (_, number) => `${number}`));
  options(signal, task.signals);
  unit.max = slide.max = task.hidden - 1;

  const choice = (parent, text, chosen) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    Object.assign(button.dataset, { layer: chosen[0], unit: chosen[1] });
    button.addEventListener("click", () => choose(...chosen));
    parent.append(button);
  };
  const closest = new Map(task.units.map(unit => [unit[0], unit]).reverse()); // of each feature the first
  for (const [feature, of, number, close] of [...closest.values()].reverse()) {
    choice(part("units"), `${feature}: layer ${of}, unit ${number} (${written(close)})`, [of, number]);
  }

  function choose(of, number) {
    layer.value = of;
    unit.value = slide.value = Math.min(Math.max(Math.trunc(Number(number)) || 0, 0), task.hidden - 1);
    paint();
  }

  function paint() {
    const shown = row(+layer.value, +signal.value, +unit.value);
    const shades = colours[task.signed[+signal.value] ? 0 : 1];
    for (let place = 0; place < size; place++) spans[place].style.background = shades[shown[place]];
    const steps = task.signed[+signal.value] ? [-1, -0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1];
    part("scale").replaceChildren(`${task.signals[+signal.value]}: `, ...steps.map(step => {
      const span = document.createElement("span");
      span.textContent = `${step}`.replace("-", "−");
      span.style.background = colour(step);
      return span;
    }));
    for (const button of document.querySelectorAll(".choices button")) {
      button.ariaPressed = button.dataset.layer === layer.value && button.dataset.unit === unit.value;
    }
    tell();
  }

  function tell() {
    if (here < 0) return;
    const told = task.signals.map((name, place) =>
      `${name} ${written(number(place, row(+layer.value, place, +unit.value)[here]))}`);
    const nats = task.nats[here] === null ? "" : ` (surprise ${task.nats[here].toFixed(2)} nats)`;
    const sign = task.labels[here].trim() || "blank";
    part("told").textContent = `After character ${here}, ${sign}${nats}: ${told.join(", ")}`;
  }

  function go(place) {
    if (place < 0 || place >= size) return;
    if (here >= 0) spans[here].classList.remove("here");
    here = place;
    spans[here].classList.add("here");
    tell();
  }

  function strongest() {
    const hidden = task.signals.indexOf("hidden"); // what goes on to other units
    const at = unit => [unit, number(hidden, row(+layer.value, hidden, unit)[here])];
    const found = Array.from({ length: task.hidden }, (_, unit) => at(unit));
    found.sort((one, other) => Math.abs(other[1]) - Math.abs(one[1]));
    part("strongest").replaceChildren(`Strongest of layer ${layer.value} here: `);
    for (const [unit, value] of found.slice(0, STRONGEST)) {
      choice(part("strongest"), `unit ${unit} (${written(value)})`, [layer.value, unit]);
    }
    paint();
  }

  const placeOf = event => event.target.dataset && event.target.dataset.place;
  reading.addEventListener("pointerover", event => placeOf(event) && go(+placeOf(event)));
  reading.addEventListener("click", event => {
    if (!placeOf(event)) return;
    go(+placeOf(event));
    strongest();
  });
  reading.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      go(here < 0 ? 0 : here + step);
      spans[here].scrollIntoView({ block: "nearest" });
      event.preventDefault();
    } else if (event.key === "Enter" && here >= 0) {
      strongest();
    }
  });
  layer.addEventListener("change", paint);
  signal.addEventListener("change", paint);
  unit.addEventListener("change", () => choose(layer.value, unit.value));
  slide.addEventListener("input", () => choose(layer.value, slide.value));
  choose(...(task.units.length ? task.units[0].slice(1, 3) : [0, 0]));
})();

const { words, id, format, version, file } = JSON.parse(document.getElementById("task").textContent);
const at = (name) => document.getElementById(name);
const store = new Store(id);
const writings = words.map((_, index) => store.get(index));
const pad = new Pad(at("pad"), (strokes, frame, pointer) => write({ pad: frame, pointer, strokes }));
let current = 0, past = [], future = [], saved = true;

// ---------------------------------------------------------------- what is shown

function picture(found) { // a small one of what was written, without the room around it
  const [xs, ys] = [0, 1].map((axis) => found.strokes.flat().map((point) => point[axis]));
  const [left, top] = [xs, ys].map((all) => all.reduce((a, b) => Math.min(a, b)) - 8);
  const [right, low] = [xs, ys].map((all) => all.reduce((a, b) => Math.max(a, b)) + 8);
  const high = Math.max(low - top, found.pad.height / 4);
  const svg = element("svg", { viewBox: `${left} ${low - high} ${right - left} ${high}`, "aria-hidden": true });
  svg.append(...found.strokes.map((points) => element("path", { d: path(points), class: "ink" })));
  return svg;
}

function tile(index) {
  const button = at("words").children[index].firstChild, name = document.createElement("span");
  name.textContent = words[index];
  name.dir = "auto";
  button.replaceChildren(...(writings[index] ? [picture(writings[index])] : []), name);
  const done = whole(writings[index]);
  button.classList.toggle("written", done);
  button.setAttribute("aria-label", `${words[index]}, ${done ? "written" : "not written yet"}`);
}

function show() {
  const done = writings.filter(whole).length;
  at("word").textContent = words[current];
  at("pad").setAttribute("aria-label", `Pad to write on: ${words[current]}`);
  at("count").textContent = `${done} of ${words.length} written`;
  at("bar").setAttribute("aria-valuenow", done);
  at("bar").firstChild.style.width = `${100 * done / words.length}%`;
  at("undo").disabled = !past.length;
  at("redo").disabled = !future.length;
  at("again").disabled = !writings[current];
  at("back").disabled = current === 0;
  at("save").disabled = at("share").disabled = done === 0;
  at("erase").disabled = !writings.some(Boolean);
  pad.show(writings[current]);
}

function tell(text, wrong = false) {
  at("told").textContent = text;
  at("told").classList.toggle("wrong", wrong);
}

// ---------------------------------------------------------------- what is done

function put(index, found) {
  writings[index] = found;
  store.set(index, found);
  saved = false;
  tile(index);
  const refused = "This browser keeps nothing (private mode, or its store is full): save the file before you close the page.";
  if (store.refused) tell(refused, true);
}

function write(found) {
  past.push(writings[current]);
  future = [];
  put(current, found);
  show();
}

function turn(from, to) {
  if (!from.length) return;
  to.push(writings[current]);
  put(current, from.pop());
  show();
}

function go(index) {
  if (pad.stroke) return;
  at("words").children[current].firstChild.removeAttribute("aria-current");
  [current, past, future] = [index, [], []];
  at("words").children[current].firstChild.setAttribute("aria-current", "true");
  show();
}

function next() {
  if (current + 1 < words.length) return go(current + 1);
  const left = writings.findIndex((found) => !whole(found));
  if (left < 0) return tell("All is written. Save the file.");
  go(left);
  tell("These are still to be written.");
}

const text = () => fileOf(format, version, words, writings);
const asFile = () => new File([text()], file, { type: "application/json" });

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  saved = true;
  const dots = writings.filter((found) => found && !whole(found)).length;
  const rest = dots ? ` Left out: ${dots === 1 ? "a word" : `${dots} words`} of a dot alone.` : "";
  tell(`Saved as ${file} where this browser keeps its downloads.${rest}`, dots > 0);
}

async function share() {
  try {
    await navigator.share({ files: [asFile()], title: file });
    saved = true;
  } catch (error) {
    if (error.name !== "AbortError") tell(`It could not be sent (${error.message}). Save the file instead.`, true);
  }
}

async function open() {
  const chosen = at("open").files[0];
  if (!chosen) return;
  at("open").value = "";
  try {
    const { found, strange } = writingsOf(await chosen.text(), format, version, words);
    const same = (index, read) => JSON.stringify(writings[index].strokes) === JSON.stringify(read.strokes);
    const other = [...found].filter(([index, read]) => writings[index] && !same(index, read));
    const count = other.length === 1 ? "a word that is" : `${other.length} words that are`;
    if (other.length && !confirm(`Replace ${count} written here by what the file has?`)) other.forEach(([index]) => found.delete(index));
    for (const [index, read] of found) put(index, read);
    go(Math.max(0, writings.findIndex((read) => !whole(read))));
    const rest = strange ? ` ${strange} of its words are none of this page, and were left out.` : "";
    tell(`Opened ${chosen.name}: ${found.size} words.${rest}`, strange > 0);
  } catch {
    tell(`${chosen.name} is no file that this page saved. Nothing was changed.`, true);
  }
}

function erase() {
  if (!confirm("Erase all that was written on this page? What is saved in files stays.")) return;
  words.forEach((_, index) => put(index, null));
  saved = true;
  go(0);
  tell("All is erased.");
}

// ---------------------------------------------------------------- how it is asked for

const undo = () => turn(past, future), redo = () => turn(future, past);
const buttons = { undo, redo, again: () => write(null), back: () => go(current - 1), next, save, share, erase };
for (const [name, act] of Object.entries(buttons)) at(name).addEventListener("click", act);
at("open").addEventListener("change", open);

addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
  if (event.altKey || pad.stroke) return;
  const on = event.target.tagName;
  let act = null;
  if (command && key === "z") act = event.shiftKey ? redo : undo;
  else if (command && key === "y") act = redo;
  else if (command) return;
  else if (key === "enter" && on !== "BUTTON" && on !== "INPUT") act = next;
  else if (key === "arrowright" && current + 1 < words.length) act = () => go(current + 1);
  else if (key === "arrowleft" && current > 0) act = () => go(current - 1);
  if (!act) return;
  event.preventDefault();
  act();
});

addEventListener("storage", (event) => { // the page is open once more, and was written on there
  const index = event.key === null ? NaN : store.index(event.key);
  if (!(index in words)) return;
  writings[index] = store.get(index);
  tile(index);
  if (index === current) [past, future] = [[], []];
  show();
});

addEventListener("beforeunload", (event) => {
  if (store.refused && !saved) event.preventDefault();
});

for (const index of words.keys()) {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => {
    go(index);
    at("pad").scrollIntoView({ block: "center" });
  });
  item.append(button);
  at("words").append(item);
  tile(index);
}
at("bar").setAttribute("aria-valuemax", words.length);
try {
  at("share").hidden = !(navigator.canShare && navigator.canShare({ files: [asFile()] }));
} catch { // it stays hidden
}
go(Math.max(0, writings.findIndex((found) => !whole(found))));

// What was written, in the browser's own store: an entry a word, so that each stroke writes little.

const finite = (value) => typeof value === "number" && Number.isFinite(value);

// A writing, if that is what a value is; else null. Whoever changed the store or the file must not break the page.
function writing(value) {
  const { pad, pointer, strokes } = value || {};
  if (!pad || !["width", "height", "baseline"].every((key) => finite(pad[key]) && pad[key] > 0)) return null;
  const point = (p) => Array.isArray(p) && p.length === 3 && p.every(finite);
  const stroke = (s) => Array.isArray(s) && s.length && s.every(point);
  if (!Array.isArray(strokes) || !strokes.length || !strokes.every(stroke)) return null;
  return { pad: { width: pad.width, height: pad.height, baseline: pad.baseline }, pointer: String(pointer), strokes };
}

// Whether a writing goes through two places at least: of a lone dot no hand can learn.
function whole(found) {
  if (!found) return false;
  const [[x, y]] = found.strokes[0];
  return found.strokes.flat().some((point) => point[0] !== x || point[1] !== y);
}

class Store {
  constructor(id) {
    this.id = `minigrad-recorder/${id}/`;
    this.refused = false; // by the browser: private mode, or full
  }

  get(index) {
    try {
      return writing(JSON.parse(localStorage.getItem(this.id + index)));
    } catch {
      return null;
    }
  }

  index(key) { // of the word that an entry is of; NaN for an entry of something else
    return key.startsWith(this.id) ? Number(key.slice(this.id.length)) : NaN;
  }

  set(index, value) {
    try {
      if (value) localStorage.setItem(this.id + index, JSON.stringify(value));
      else localStorage.removeItem(this.id + index);
      this.refused = false;
    } catch {
      this.refused = true;
    }
  }
}

// The text of a stroke file.
function fileOf(format, version, words, writings) {
  const rows = words.map((text, index) => ({ text, ...writings[index] })).filter((row) => row.strokes && whole(row));
  const head = JSON.stringify({ format, version, units: { x: "px", y: "px, downwards", t: "ms" } }).slice(0, -1);
  return `${head},"words":[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]}\n`;
}

// The writings of a stroke file, each at the index of its word, and how many belong to no word of this page.
function writingsOf(text, format, version, words) {
  const file = JSON.parse(text);
  if (!file || file.format !== format || file.version !== version || !Array.isArray(file.words)) throw new TypeError();
  const found = new Map(), free = words.map((_, index) => index);
  let strange = 0;
  for (const row of file.words) {
    const index = free.find((at) => words[at] === (row && row.text)), read = writing(row);
    if (index === undefined || !read) strange++;
    else {
      found.set(index, read);
      free.splice(free.indexOf(index), 1);
    }
  }
  return { found, strange };
}

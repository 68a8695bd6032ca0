// Examines the page from within, and reports what would trouble a reader.
(() => {
  const bad = [];
  const complain = (where, what) => {
    if (bad.length < 30) bad.push(`${where}: ${what}`);
  };
  const box = (one) => one.getBoundingClientRect();
  const isWithin = ({ left, right }) => left >= 0 && right <= innerWidth + 1;

  // Every chart is visible, has a label, and has legible texts.
  const charts = [...document.querySelectorAll("svg[role=img]")];
  for (const chart of charts) {
    const label = chart.getAttribute("aria-label");
    const where = `${chart.closest("figure")?.id} ${label}`;
    const { width, height } = box(chart);
    if (width <= 100 || height <= 50) complain(where, "too small");
    if (!isWithin(box(chart))) complain(where, "outside the page");
    if (!label) complain(where, "no label");
    if (chart.querySelector(":scope > title")?.textContent !== label) {
      complain(where, "no title");
    }
    if (!chart.querySelector(".tick")) complain(where, "no scale");
    if (!chart.querySelector(".axis-name")?.textContent) {
      complain(where, "no axis name");
    }
    const texts = [...chart.querySelectorAll("text")];
    for (const [index, text] of texts.entries()) {
      const one = box(text);
      const what = `"${text.textContent}"`;
      if (one.height <= 8) complain(where, `${what} is too small`);
      if (!isWithin(one)) complain(where, `${what} is cut off`);
      for (const other of texts.slice(index + 1)) {
        const two = box(other);
        // The box of a text is higher than its letters.
        const across = Math.min(one.right, two.right)
          - Math.max(one.left, two.left);
        const down = Math.min(one.bottom, two.bottom)
          - Math.max(one.top, two.top);
        if (across > 1 && down > one.height * 0.4) {
          complain(where, `${what} overlaps "${other.textContent}"`);
        }
      }
    }
  }

  // Every figure has a title, a table and a command. A heat map has a number
  // in each cell.
  const figures = {};
  for (const figure of document.querySelectorAll("figure")) {
    const where = figure.id;
    if (!figure.querySelector("figcaption b")?.textContent) {
      complain(where, "no title");
    }
    const rows = figure.querySelectorAll(".data tbody tr").length;
    if (rows < document.querySelectorAll(".chip").length) {
      complain(where, "a contestant is missing in the table");
    }
    if (!figure.querySelector(".repeat code")?.textContent) {
      complain(where, "no command");
    }
    const cells = [...figure.querySelectorAll(".heat td, .heat th")];
    for (const cell of cells) {
      if (!cell.textContent) complain(where, "an empty cell");
      if (!isWithin(box(cell))) {
        complain(where, `"${cell.textContent}" is outside the page`);
      }
    }
    figures[where] = {
      marks: figure.querySelectorAll("svg[role=img] .mark").length,
      panels: figure.querySelectorAll("svg.panel").length,
      cells: figure.querySelectorAll(".heat td b").length,
      knees: figure.querySelectorAll(".knee-name").length,
    };
  }

  // Colours as the browser computes them, in any notation.
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const seen = new Map();
  const rgba = (css) => {
    if (!seen.has(css)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = css;
      pen.fillRect(0, 0, 1, 1);
      seen.set(css, [...pen.getImageData(0, 0, 1, 1).data]);
    }
    return seen.get(css);
  };
  const linear = (part) => {
    part /= 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const luminance = ([r, g, b]) =>
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort(
      (a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const color = rgba(getComputedStyle(one).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const legibility = () => {
    let least = Infinity;
    for (const one of document.body.querySelectorAll("*")) {
      const nodes = [...one.childNodes];
      const hasText = nodes.some(
        (node) => node.nodeType === 3 && node.textContent.trim());
      if (!hasText || ["TITLE", "SCRIPT"].includes(one.tagName.toUpperCase())
        || !one.checkVisibility()) continue;
      const style = getComputedStyle(one);
      const isDrawn = one instanceof SVGElement;
      const ink = rgba(isDrawn ? style.fill : style.color);
      const paper = ground(one);
      let share = ink[3] / 255;
      for (let up = one; up; up = up.parentElement) {
        share *= getComputedStyle(up).opacity;
      }
      const mixed = [0, 1, 2].map(
        (i) => ink[i] * share + paper[i] * (1 - share));
      const ratio = contrast(mixed, paper);
      least = Math.min(least, ratio);
      if (ratio < 4.5) {
        const text = one.textContent.trim().slice(0, 30);
        complain("contrast", `${ratio.toFixed(2)}: ${one.tagName} ${text}`);
      }
    }
    return least;
  };

  // The families' colours as seen by colour-blind readers (Machado, Oliveira
  // and Fernandes, 2009), and the distances between them.
  const SIGHTS = {
    protan: [[0.152286, 1.052583, -0.204868],
      [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    deutan: [[0.367322, 0.860646, -0.227968],
      [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  };
  const lab = ([r, g, b]) => {
    const f = (t) => t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116;
    const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
    const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
    const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
  };
  const families = [...document.querySelectorAll(".family .swatch")];
  const apart = {};
  for (const [sight, matrix] of Object.entries(SIGHTS)) {
    const colours = families.map((swatch) => {
      const mark = swatch.querySelector(".mark");
      const light = rgba(getComputedStyle(mark).fill).slice(0, 3).map(linear);
      const clamp = (part) => Math.min(1, Math.max(0, part));
      const sees = matrix.map(
        (row) => clamp(row.reduce((sum, k, i) => sum + k * light[i], 0)));
      return { name: swatch.getAttribute("class"), at: lab(sees) };
    });
    apart[sight] = { least: Infinity };
    for (const [index, one] of colours.entries()) {
      for (const other of colours.slice(index + 1)) {
        const distance = Math.hypot(...one.at.map((c, i) => c - other.at[i]));
        if (distance < apart[sight].least) {
          const pair = `${one.name}, ${other.name}`;
          apart[sight] = { least: distance, pair };
        }
      }
    }
  }
  const shapes = new Set(families.map(
    (swatch) => swatch.querySelector("path").getAttribute("d")));

  const verdict = {
    charts: charts.length,
    figures,
    contrast: legibility(),
    apart,
    families: families.length,
    shapes: shapes.size,
    width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    scrolls: document.documentElement.scrollWidth > innerWidth,
  };

  document.querySelector(".chip")?.click();
  verdict.followed = document.querySelectorAll(".on").length > 3;
  document.querySelector(".chip")?.click();

  // As printed: apply the rules for print, and not those for a dark theme.
  for (const { media } of document.styleSheets[0].cssRules) {
    if (media?.mediaText === "print") media.mediaText = "all";
    if (media?.mediaText.includes("dark")) media.mediaText = "not all";
  }
  const root = getComputedStyle(document.documentElement);
  verdict.paper = root.getPropertyValue("--paper");
  verdict.hint = document.querySelector(".hint")?.checkVisibility()
    ?? false;
  const folded = [...document.querySelectorAll("details .data table")];
  verdict.folded = folded.filter(
    (table) => !table.checkVisibility({ contentVisibilityAuto: true })).length;
  verdict.contrast_printed = legibility();

  verdict.errors = wrong;
  verdict.bad = bad;
  parent.postMessage(JSON.stringify(verdict), "*");
})();

// Looks at the page from within, as a reader would, and says what is amiss.
addEventListener("load", () => setTimeout(() => {
  const bad = [];
  const box = (one) => one.getBoundingClientRect();
  const charts = [...document.querySelectorAll("svg.chart")];
  for (const chart of charts) {
    const label = chart.getAttribute("aria-label");
    const { left, right, width, height } = box(chart);
    if (!label) bad.push("a chart without a label");
    if (width < 200 || height < 40) bad.push(`${label}: too small`);
    if (left < 0 || right > innerWidth + 1) bad.push(`${label}: cut off`);
    const ink = chart.querySelector("text");
    if (getComputedStyle(ink).fill
      === getComputedStyle(document.documentElement).backgroundColor) {
      bad.push(`${label}: its text can't be seen`);
    }
    const figure = chart.closest("figure");
    if (!figure?.querySelector("figcaption")?.textContent) {
      bad.push(`${label}: no words`);
    }
    if (figure?.classList.contains("measured")
      && figure.querySelectorAll("tbody tr").length < 2) {
      bad.push(`${label}: no data`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth + 1) {
    bad.push(`it scrolls sideways: ${document.documentElement.scrollWidth}`);
  }
  const one = document.querySelector("svg [data-c]");
  const ofOne = [...document.querySelectorAll(
    `[data-c="${one?.dataset.c}"]`)];
  const lit = () => ofOne.filter((two) => two.matches(".lit")).length;
  const over = (place) =>
    place?.dispatchEvent(new Event("pointerover", { bubbles: true }));
  over(one);
  if (lit() !== ofOne.length) bad.push(`lit are ${lit()}`);
  over(document.querySelector("h1"));
  if (lit() !== 0) bad.push("it stays lit");
  const click = (place) =>
    place?.dispatchEvent(new Event("click", { bubbles: true }));
  click(one);
  over(document.querySelector("h1"));
  if (lit() !== ofOne.length) bad.push("a click does not keep it lit");
  click(one);
  if (lit() !== 0) bad.push("a second click leaves it lit");
  const text = document.querySelector("main")?.textContent ?? "";
  if (text.includes("{{#")) bad.push("a directive was left");
  parent.postMessage(JSON.stringify({
    charts: charts.length,
    found: document.querySelectorAll(
      "#mdbook-searchresults li, #searchresults li").length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    errors: wrong,
    bad,
  }), "*");
}, 1500));

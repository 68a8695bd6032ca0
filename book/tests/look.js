// Runs in the page: checks what a reader would see, and reports the defects.
addEventListener("load", () => setTimeout(() => {
  const defects = [];
  const charts = [...document.querySelectorAll("svg.chart")];
  for (const chart of charts) {
    const label = chart.getAttribute("aria-label");
    const { left, right, width, height } = chart.getBoundingClientRect();
    if (!label) defects.push("a chart has no label");
    if (width < 200 || height < 40) defects.push(`${label}: too small`);
    if (left < 0 || right > innerWidth + 1) {
      defects.push(`${label}: cut off`);
    }
    const text = chart.querySelector("text");
    if (getComputedStyle(text).fill
      === getComputedStyle(document.documentElement).backgroundColor) {
      defects.push(`${label}: its text is invisible`);
    }
    const figure = chart.closest("figure");
    if (!figure?.querySelector("figcaption")?.textContent) {
      defects.push(`${label}: no caption`);
    }
    if (figure?.classList.contains("measured")
      && figure.querySelectorAll("tbody tr").length < 2) {
      defects.push(`${label}: no table of its data`);
    }
  }
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth + 1) {
    defects.push(`the page scrolls sideways: it is ${scrollWidth} px wide`);
  }
  const first = document.querySelector("svg [data-c]");
  const same = [...document.querySelectorAll(
    `[data-c="${first?.dataset.c}"]`)];
  const lit = () => same.filter((element) => element.matches(".lit")).length;
  const over = (place) =>
    place?.dispatchEvent(new Event("pointerover", { bubbles: true }));
  over(first);
  if (lit() !== same.length) {
    defects.push(`${lit()} of ${same.length} elements are highlighted`);
  }
  over(document.querySelector("h1"));
  if (lit() !== 0) defects.push("a highlight stays");
  const click = (place) =>
    place?.dispatchEvent(new Event("click", { bubbles: true }));
  click(first);
  over(document.querySelector("h1"));
  if (lit() !== same.length) defects.push("a click does not pin a highlight");
  click(first);
  if (lit() !== 0) defects.push("a second click does not unpin it");
  const text = document.querySelector("main")?.textContent ?? "";
  if (text.includes("{{#")) defects.push("a directive was not replaced");
  parent.postMessage(JSON.stringify({
    charts: charts.length,
    found: document.querySelectorAll(
      "#mdbook-searchresults li, #searchresults li").length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    errors,
    defects,
  }), "*");
}, 1500));

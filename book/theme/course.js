// Lights up one contestant in all charts, tables and figures of a page: while
// a pointer rests on it, or, after a click or Enter, until the next one.
(() => {
  const all = () => document.querySelectorAll("[data-c]");
  let kept;
  const light = (name) => {
    for (const one of all()) {
      one.classList.toggle("lit", one.dataset.c === name);
    }
  };
  const under = (event) => event.target.closest?.("[data-c]")?.dataset.c;
  const keep = (event) => {
    const name = under(event);
    kept = name === kept ? undefined : name;
    light(kept);
  };
  addEventListener("pointerover", (event) => light(under(event) ?? kept));
  addEventListener("click", keep);
  addEventListener("keydown", (event) => {
    if (event.key === "Enter") keep(event);
    if (event.key === "Escape") light(kept = undefined);
  });
  for (const row of document.querySelectorAll("svg [data-c]")) {
    row.setAttribute("tabindex", "0");
  }
})();

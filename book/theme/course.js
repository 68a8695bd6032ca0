// Lights up one contestant in all charts, tables and figures of a page: while
// a pointer rests on it, or, after a click, until the next one. It adds nothing
// that is not in the tables, so that there is nothing to reach by keyboard.
(() => {
  const all = document.querySelectorAll("[data-c]");
  let kept;
  const light = (name) => {
    for (const one of all) {
      one.classList.toggle("lit", one.dataset.c === name);
    }
  };
  const under = (event) => event.target.closest?.("[data-c]")?.dataset.c;
  addEventListener("pointerover", (event) => light(under(event) ?? kept));
  document.documentElement.addEventListener("pointerleave", () => light(kept));
  addEventListener("click", (event) => {
    const name = under(event);
    kept = name === kept ? undefined : name;
    light(kept);
  });
  document.documentElement.classList.add("lights");
})();

// Highlights one contestant in all charts, tables and figures of a page, while
// the pointer rests on it or, after a click, until the next click. It shows no
// data that isn't in the tables, so it needs no keyboard control.
(() => {
  const all = document.querySelectorAll("[data-c]");
  let pinned;
  const highlight = (name) => {
    for (const element of all) {
      element.classList.toggle("lit", element.dataset.c === name);
    }
  };
  const nameUnder = (event) => event.target.closest?.("[data-c]")?.dataset.c;
  addEventListener("pointerover", (event) =>
    highlight(nameUnder(event) ?? pinned));
  document.documentElement.addEventListener("pointerleave", () =>
    highlight(pinned));
  addEventListener("click", (event) => {
    const name = nameUnder(event);
    pinned = name === pinned ? undefined : name;
    highlight(pinned);
  });
  document.documentElement.classList.add("lights");
})();

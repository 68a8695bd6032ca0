// Highlights one contestant throughout the page, and unfolds everything for
// printing. The page works without this script.
(() => {
  const root = document.documentElement;
  const all = [...document.querySelectorAll("[data-c]")];
  let kept = null;
  let shown = null;
  const show = (contestant) => {
    if (contestant === shown) return;
    shown = contestant;
    root.classList.toggle("following", contestant !== null);
    for (const one of all) {
      one.classList.toggle("on", one.dataset.c === contestant);
    }
  };
  const of = (target) => target.closest?.("[data-c]")?.dataset.c ?? null;
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse") show(of(event.target) ?? kept);
  });
  const chips = document.querySelectorAll(".chip");
  for (const chip of chips) {
    chip.tabIndex = 0;
    chip.role = "button";
    chip.ariaPressed = "false";
    const press = () => {
      kept = kept === chip.dataset.c ? null : chip.dataset.c;
      for (const other of chips) {
        other.ariaPressed = String(other.dataset.c === kept);
      }
      show(kept);
    };
    chip.addEventListener("click", press);
    chip.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      press();
    });
  }
  // Unfold everything before printing, and fold it again afterwards.
  const folded = () => document.querySelectorAll("details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...folded()];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
  document.querySelector(".hint")?.removeAttribute("hidden");
})();

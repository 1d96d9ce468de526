// The seconds in which a reply can be taken back run down beside "Undo"; after them the button goes, and the page shows what has become of it.
(() => {
  "use strict";

  const LOOKS = 5, PAUSE = 2500;   // a worker looks every second, a web process every other
  let due = false;

  const begin = (form) => {
    if (form.dataset.runs) return;
    form.dataset.runs = "yes";
    const end = performance.now() + Number(form.dataset.leaves) * 1000;
    const seconds = form.querySelector("[data-seconds]");
    const tick = () => {
      if (!form.isConnected) return;
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left <= 0) { over(form); return; }
      if (seconds) seconds.textContent = ` (${left})`;
      setTimeout(tick, 250);
    };
    tick();
  };

  const over = (form) => {
    const told = form.querySelector("[data-over]"), button = form.querySelector("button");
    if (button === document.activeElement) document.querySelector(".cs-answer-box")?.focus({ preventScroll: true });
    button.remove();
    if (told) told.textContent = told.dataset.over;
    if (!due) { due = true; look(LOOKS); }
  };

  // Until it has left, or somebody has to do something about it.
  const look = (times) => setTimeout(() => {
    document.dispatchEvent(new Event("cs-stale"));
    if (times > 1 && document.querySelector(".cs-message [data-leaves]")) look(times - 1);
    else due = false;
  }, PAUSE);

  document.querySelectorAll("[data-leaves]").forEach(begin);
})();

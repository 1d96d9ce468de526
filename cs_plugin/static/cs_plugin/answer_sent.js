// The seconds in which a reply can be taken back run down beside "Undo"; after them the button goes, and the page shows what has become of it.
(() => {
  "use strict";

  const LOOKS = 5, PAUSE = 2500;   // a worker looks every second, a web process every other
  const looked = new Set();
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
    // The page that is looked at may bring the same form again: it is asked for so often once, and not for ever.
    if (looked.has(form.action)) return;
    looked.add(form.action);
    if (!due) { due = true; look(LOOKS); }
  };

  // Until it has left, or somebody has to do something about it.
  const look = (times) => setTimeout(() => {
    document.dispatchEvent(new Event("cs-stale"));
    if (times > 1 && document.querySelector(".cs-message [data-leaves]")) look(times - 1);
    else due = false;
  }, PAUSE);

  const all = () => document.querySelectorAll("[data-leaves]").forEach(begin);
  all();
  // Also those that come into the page of a thread later, as of a reply that a colleague has just sent.
  const page = document.querySelector(".cs-thread-page");
  if (page) new MutationObserver(all).observe(page, { childList: true, subtree: true });
})();

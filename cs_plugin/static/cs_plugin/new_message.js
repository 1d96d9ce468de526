// The form of a new message: another shop or language brings its own words at once; without a script there is a button for it.
(() => {
  const form = document.querySelector(".cs-new-message");
  if (!form) return;
  const redraw = form.querySelector("[data-redraw]");
  form.querySelectorAll("[data-redraw]").forEach((button) => (button.hidden = true));
  form.querySelectorAll("[data-redraws]").forEach((field) => {
    // Arrow keys pass other choices on their way: a short wait lets them pass.
    let typed = false, waits;
    field.addEventListener("keydown", () => (typed = true));
    field.addEventListener("pointerdown", () => (typed = false));
    field.addEventListener("change", () => { clearTimeout(waits); waits = setTimeout(() => form.requestSubmit(redraw), typed ? 600 : 0); });
  });
  // An address that was typed anew is not that of the account that was found before.
  form.querySelector("#cs-new-to").addEventListener("input", () => {
    const only = form.querySelector('[name=customer][value=""]');
    if (only) only.checked = true;
  });
  // A second click while the first is on its way would only wait for it.
  let sent = false;
  form.addEventListener("submit", (event) => { if (sent) event.preventDefault(); sent = true; });
  addEventListener("pageshow", () => (sent = false));
})();

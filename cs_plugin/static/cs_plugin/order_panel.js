// The panel of an order: a predefined message fills the text, and asks first where one stands already. Everything works without it.
(() => {
  "use strict";

  for (const form of document.querySelectorAll(".cs-op-form:not([data-cs-ready])")) {
    form.dataset.csReady = "";   // a host may show the fragment twice, and each brings the script
    const choice = form.querySelector("[data-cs-predefined]"), text = form.querySelector("textarea"), ask = form.querySelector("[data-cs-ask]");
    const count = form.querySelector("[data-cs-count]"), most = Number(text.dataset.csMost);
    let before = choice.value;

    // Removed, not hidden: a hidden button would still be the one that Enter presses.
    form.querySelector("[data-cs-without-script]").remove();

    const tell = () => {
      const length = [...text.value.trim()].length;
      count.textContent = `${length.toLocaleString(form.closest("[lang]").lang)} / ${most.toLocaleString(form.closest("[lang]").lang)}`;
      count.classList.toggle("cs-op-too-many", length > most);
    };
    const fill = () => {
      text.value = choice.selectedOptions[0].dataset.text ?? "";
      before = choice.value;
      tell();
      text.focus();
    };

    choice.addEventListener("change", () => {
      if (!choice.value) { before = ""; return; }
      const stands = text.value.trim();
      if (!stands || stands === (choice.selectedOptions[0].dataset.text ?? "").trim()) fill();
      else ask.showModal();
    });
    form.querySelector("[data-cs-overwrite]").addEventListener("click", () => ask.close("overwrite"));
    form.querySelector("[data-cs-keep]").addEventListener("click", () => ask.close("keep"));
    ask.addEventListener("close", () => {
      if (ask.returnValue === "overwrite") fill();
      else choice.value = before;
      ask.returnValue = "";
    });
    text.addEventListener("input", tell);
    tell();
  }
})();

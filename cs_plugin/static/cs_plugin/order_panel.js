// The panel of an order counts the letters of the text as one types. Everything works without it.
(() => {
  "use strict";

  for (const form of document.querySelectorAll(".cs-op-form:not([data-cs-ready])")) {
    form.dataset.csReady = "";   // a host may show the fragment twice, and each brings the script
    const text = form.querySelector("textarea"), count = form.querySelector("[data-cs-count]"), most = Number(text.dataset.csMost);

    const tell = () => {
      const length = [...text.value.trim()].length;
      count.textContent = `${length.toLocaleString(form.closest("[lang]").lang)} / ${most.toLocaleString(form.closest("[lang]").lang)}`;
      count.classList.toggle("cs-op-too-many", length > most);
    };
    text.addEventListener("input", tell);
    tell();
  }
})();

// A predefined message fills the text beside it, and asks first where somebody wrote one already. Everything works without it.
(() => {
  "use strict";

  for (const choice of document.querySelectorAll("[data-cs-predefined]:not([data-cs-ready])")) {
    choice.dataset.csReady = "";   // a host may show a fragment twice, and each brings the script
    const form = choice.form, ask = form.querySelector("[data-cs-ask]");
    const text = [...form.elements].find((element) => element.id === choice.dataset.csPredefined);
    let before = choice.value;

    // Removed, not hidden: a hidden button would still be the one that Enter presses.
    form.querySelector("[data-cs-without-script]").remove();
    if (!ask) continue;   // nothing is offered

    const words = () => choice.selectedOptions[0].dataset.text ?? "";
    const fill = () => {
      text.value = words();
      before = choice.value;
      text.dispatchEvent(new Event("input", { bubbles: true }));
      text.focus();
    };

    choice.addEventListener("change", () => {
      if (!choice.value) { before = ""; return; }
      // What the box began with was written by nobody.
      const nobodys = ["", (text.dataset.beginning ?? "").trim(), words().trim()];
      if (nobodys.includes(text.value.trim())) fill();
      else ask.showModal();
    });
    form.querySelector("[data-cs-overwrite]").addEventListener("click", () => ask.close("overwrite"));
    form.querySelector("[data-cs-keep]").addEventListener("click", () => ask.close("keep"));
    ask.addEventListener("close", () => {
      if (ask.open) return;   // a browser tells of it a moment later, and by then another choice may have asked again
      if (ask.returnValue === "overwrite") fill();
      else choice.value = before;
      ask.returnValue = "";
    });
  }
})();

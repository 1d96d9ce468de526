// What small lists gain from a script; without one every button is simply there, and the server says what is missing.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];

  // What is done with a selection waits for one; the head's box selects the page.
  const boxes = all("[data-select]"), whole = document.querySelector("[data-select-all]"), buttons = all("[data-for-selection]");
  const bulk = document.querySelector("[data-bulk]"), checked = () => boxes.filter((box) => box.checked);
  const show = () => {
    const chosen = checked().length;
    buttons.forEach((button) => (button.disabled = chosen === 0));
    if (bulk) {
      bulk.setAttribute("aria-disabled", chosen === 0);
      bulk.tabIndex = chosen ? 0 : -1;
      if (!chosen) bulk.parentElement.open = false;
    }
    whole.checked = chosen > 0 && chosen === boxes.length;
    whole.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  if (whole) {
    whole.hidden = !boxes.length;
    whole.addEventListener("change", () => { boxes.forEach((box) => (box.checked = whole.checked)); show(); });
    boxes.forEach((box) => box.addEventListener("change", show));
    addEventListener("pageshow", show);
    show();
  }
  bulk?.addEventListener("click", (event) => bulk.getAttribute("aria-disabled") === "true" && event.preventDefault());

  // "Delete" asks in a dialog; its link leads to the same question on a page. What becomes of each is told.
  const one = document.getElementById("cs-ask-one"), several = document.getElementById("cs-ask-selection");
  all("a[data-deletes]").forEach((link) => {
    link.setAttribute("role", "button");
    link.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); link.click(); } });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      one.querySelector("[data-name]").textContent = link.dataset.deletes;
      one.querySelector("[data-left-words]").textContent = link.dataset.left;
      one.querySelector("form[method=post]").action = link.href;
      one.showModal();
    });
  });
  document.querySelector('[data-opens="cs-ask-selection"]')?.addEventListener("click", () => {
    several.querySelector("[data-chosen]").replaceChildren(...checked().map((box) => {
      const line = document.createElement("li"), name = document.createElement("bdi"), left = document.createElement("span");
      name.textContent = box.dataset.select;
      left.textContent = box.dataset.left;
      left.className = "cs-muted cs-small";
      line.append(name, " ", left);
      return line;
    }));
  });

  // "Search" wakes when a field says something else than what is shown; addresses carry no empty fields.
  const search = document.querySelector("[data-search-button]"), fields = all("[data-search]");
  if (search) {
    const shown = new Map(fields.map((field) => [field, field.getAttribute("value") ?? [...(field.options ?? [])].find((one) => one.defaultSelected)?.value ?? ""]));
    const wake = () => (search.disabled = !fields.some((field) => field.value !== shown.get(field)));
    fields.forEach((field) => ["input", "change"].forEach((kind) => field.addEventListener(kind, wake)));
    search.form.addEventListener("formdata", (event) => [...event.formData].forEach(([name, value]) => value || event.formData.delete(name)));
    addEventListener("pageshow", wake);
    wake();
  }

  // On a phone the fields of the search unfold; they stand open where something is sought.
  all("[data-unfolds]").forEach((button) => {
    const fields = document.getElementById(button.dataset.unfolds);
    const fold = (folded) => { fields.classList.toggle("cs-is-folded", folded); button.setAttribute("aria-expanded", !folded); };
    fold(!fields.classList.contains("cs-is-searched"));
    button.addEventListener("click", () => fold(!fields.classList.contains("cs-is-folded")));
  });

  // A job that runs is looked at again, as long as the page is in view.
  const job = document.querySelector("[data-look-again]");
  if (job) setTimeout(() => document.hidden || location.reload(), 5000);
})();

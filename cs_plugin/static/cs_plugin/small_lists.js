// What small lists gain from a script; without one every button is simply there, and the server says what is missing.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];

  // What is done with a selection waits for one; the head's box selects the page.
  const boxes = all("[data-select]"), whole = document.querySelector("[data-select-all]"), buttons = all("[data-for-selection]");
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    buttons.forEach((button) => (button.disabled = chosen === 0));
    whole.checked = chosen > 0 && chosen === boxes.length;
    whole.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  if (whole && boxes.length) {
    whole.hidden = false;
    whole.addEventListener("change", () => { boxes.forEach((box) => (box.checked = whole.checked)); show(); });
    boxes.forEach((box) => box.addEventListener("change", show));
    addEventListener("pageshow", show);
    show();
  }

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

  // A job that runs is looked at again, as long as the page is in view.
  const job = document.querySelector("[data-look-again]");
  if (job) setTimeout(() => document.hidden || location.reload(), 5000);
})();

// Forms that carry data-unsaved: how much of them is not saved yet, and a question before it is lost.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const forms = all("form[data-unsaved]"), dialog = document.getElementById("cs-unsaved");
  if (!forms.length) return;
  let leaves = false;

  const fields = (form) => [...form.elements].filter((field) => field.name && field.type !== "hidden" && !["submit", "button"].includes(field.type));
  function differs(field) {
    if (field.disabled) return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.options) return [...field.options].some((one, at) => one.selected !== (one.defaultSelected || (field.type === "select-one" && at === 0 && ![...field.options].some((other) => other.defaultSelected))));
    return field.value !== field.defaultValue;
  }
  // A page that shows a form again, with what was typed and could not be saved, says which of it differs.
  const units = (form) => new Set([...fields(form).filter(differs).map((field) => field.closest("[data-unsaved-unit]") ?? field), ...all('[data-unsaved-unit="changed"]', form)]);
  const unsaved = () => forms.reduce((sum, form) => sum + units(form).size, 0);

  function count(form) {
    const place = form.querySelector("[data-unsaved-count]"), n = units(form).size;
    if (!place) return;
    const words = n ? place.dataset.unsavedCount.replace("%(n)s", n.toLocaleString(place.closest("[lang]")?.lang || undefined)) : "";
    if (place.textContent !== words) place.textContent = words;
  }

  forms.forEach((form) => {
    ["input", "change"].forEach((kind) => form.addEventListener(kind, () => count(form)));
    form.addEventListener("reset", () => setTimeout(() => count(form)));
    form.addEventListener("submit", () => (leaves = true));
  });
  addEventListener("pageshow", () => { leaves = false; forms.forEach(count); });
  addEventListener("beforeunload", (event) => { if (!leaves && unsaved()) event.preventDefault(); });

  // Another context of shops: asked in words of our own. A new tab leaves nothing.
  let wanted;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-context]");
    if (!link || !dialog || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || !unsaved()) return;
    event.preventDefault();
    wanted = link.href;
    dialog.showModal();
  });
  dialog?.querySelector("[data-unsaved-anyway]").addEventListener("click", () => { leaves = true; dialog.close(); location.assign(wanted); });
})();

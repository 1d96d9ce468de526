// The little that needs a script: everything here has a form or a link behind it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const desk = document.querySelector(".cs-desk");
  if (!desk) return;

  // One menu open at a time; Escape and a click outside close it.
  document.addEventListener("click", (event) => all("details.cs-menu[open]").forEach((menu) => menu.contains(event.target) || (menu.open = false)));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.cs-menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  // Dialogs: <button data-opens="id">; without a script the same button sends its form, and the server asks.
  all("[data-opens]").forEach((button) => button.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById(button.dataset.opens).showModal();
  }));

  // Fields that need no button: the page size, the order of cards.
  all("[data-submits]").forEach((field) => field.addEventListener("change", () => field.form.requestSubmit()));

  list();

  function list() {
    const table = document.querySelector(".cs-thread-list");
    if (!table) return;
    selection();
    deletion();
    search();
    statuses();
    rows();
  }

  // The whole row is its link, also where something lies above it for what it shows on hover.
  function rows() {
    table().tBodies[0].addEventListener("click", (event) => {
      const link = event.target.closest(".cs-thread")?.querySelector(".cs-thread-id > a");
      if (!link || event.target.closest("a, button, input, select, label, .cs-peek") || !getSelection().isCollapsed) return;
      if (event.ctrlKey || event.metaKey) open(link.href);
      else link.click();
    });
  }

  // "Bulk actions" and the bar at the foot follow the check boxes.
  function selection() {
    const form = document.getElementById("cs-bulk"), whole = document.querySelector(".cs-check-all");
    const bulk = document.querySelector(".cs-bulk > summary"), bar = document.querySelector(".cs-selection");
    if (!whole || !bar) return;
    const boxes = all(".cs-thread-check"), counter = bar.querySelector("[data-selected]");
    const show = () => {
      const chosen = boxes.filter((box) => box.checked).length;
      bulk.setAttribute("aria-disabled", chosen === 0);
      bulk.tabIndex = chosen ? 0 : -1;
      if (!chosen) bulk.parentElement.open = false;
      bar.hidden = chosen === 0;
      counter.textContent = chosen ? counter.dataset.selected.replace("%(n)s", chosen.toLocaleString(desk.lang)) : "";
      whole.checked = chosen > 0 && chosen === boxes.length;
      whole.indeterminate = chosen > 0 && chosen < boxes.length;
    };
    boxes.forEach((box) => box.addEventListener("change", show));
    whole.disabled = boxes.length === 0;
    whole.addEventListener("change", () => { boxes.forEach((box) => (box.checked = whole.checked)); show(); });
    bulk.addEventListener("click", (event) => bulk.getAttribute("aria-disabled") === "true" && event.preventDefault());
    form.addEventListener("reset", () => setTimeout(show));
    addEventListener("pageshow", show);
    show();
  }

  // "Delete" in a row asks in a dialog; its link leads to the same question on a page.
  function deletion() {
    const dialog = document.getElementById("cs-ask-one");
    all("[data-deletes]").forEach((link) => {
      link.setAttribute("role", "button");
      link.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); link.click(); } });
      link.addEventListener("click", (event) => {
        event.preventDefault();
        dialog.querySelector("[name=thread]").value = link.dataset.deletes;
        dialog.showModal();
      });
    });
  }

  // "Search" wakes when a field says something else than what is shown.
  function search() {
    const button = document.querySelector(".cs-search-button"), form = document.getElementById("cs-search");
    const fields = all("[data-search]");
    const shown = new Map(fields.map((field) => [field, field.getAttribute("value") ?? [...(field.options ?? [])].find((one) => one.defaultSelected)?.value ?? ""]));
    const wake = () => (button.disabled = !fields.some((field) => field.value !== shown.get(field)));
    fields.forEach((field) => ["input", "change"].forEach((kind) => field.addEventListener(kind, wake)));
    // Enter searches also from a field that is as it was; addresses carry no empty fields.
    form.addEventListener("formdata", (event) => [...event.formData].forEach(([name, value]) => value || event.formData.delete(name)));
    addEventListener("pageshow", wake);
    wake();

    const head = table().tHead, unfold = document.querySelector("[data-unfolds]");
    const fold = (folded) => { head.classList.toggle("cs-is-folded", folded); unfold.setAttribute("aria-expanded", !folded); };
    fold(!head.classList.contains("cs-is-searched"));
    unfold.addEventListener("click", () => fold(!head.classList.contains("cs-is-folded")));
  }

  function table() { return document.querySelector(".cs-thread-list"); }

  // A status that is chosen in a row saves by itself. Arrow keys pass other statuses on their way: a short wait lets them pass.
  function statuses() {
    const form = document.getElementById("cs-rows");
    table().addEventListener("keydown", (event) => { if (event.target.dataset.thread) event.target.dataset.typed = "yes"; });
    table().addEventListener("change", (event) => {
      const select = event.target;
      if (!select.dataset.thread) return;
      clearTimeout(select.waits);
      select.waits = setTimeout(() => save(form, select), select.dataset.typed ? 600 : 0);
      delete select.dataset.typed;
    });
  }

  async function save(form, select) {
    const before = [...select.options].find((one) => one.defaultSelected)?.value, chosen = select.value;
    if (before === chosen) return;
    const body = new URLSearchParams(new FormData(form, undefined));
    [...body.keys()].forEach((name) => name.startsWith("status-") && body.delete(name));
    body.set("save", select.dataset.thread);
    body.set(select.name, chosen);
    let answer = { good: false, text: form.dataset.failed };
    try {
      const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
      if (response.headers.get("Content-Type")?.startsWith("application/json")) answer = await response.json();
    } catch { /* no connection: the sentence above says it */ }
    if (answer.good) {
      [...select.options].forEach((one) => (one.defaultSelected = one.value === chosen));
      select.value = chosen;
    } else {
      select.value = before;
    }
    draw(select);
    say(answer.text, answer.good);
  }

  function draw(select) {
    const status = select.closest(".cs-status");
    status.className = `cs-status cs-status-${select.value.startsWith("pending") ? "pending" : select.value}`;
    status.querySelector("use").setAttribute("href", `#cs-i-${select.value}`);
    select.closest(".cs-thread").classList.toggle("cs-waits", select.value === "open");
  }

  // Say what came of something, in view wherever the list is scrolled to and without moving it. What went wrong stays until something else is said.
  let fades;
  function say(text, good) {
    const place = document.querySelector("[data-said-now]");
    const line = document.createElement("div"), words = document.createElement("span");
    line.className = `cs-message-line ${good ? "cs-is-good" : "cs-is-bad"}`;
    line.setAttribute("role", good ? "status" : "alert");
    line.innerHTML = `<svg aria-hidden="true"><use href="#cs-i-${good ? "check" : "warn"}"/></svg>`;
    words.textContent = text;
    line.append(words);
    place.replaceChildren(line);
    clearTimeout(fades);
    if (good) fades = setTimeout(() => place.replaceChildren(), 8000);
  }
})();

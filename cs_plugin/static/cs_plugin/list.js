// The list by keyboard, all that match, and what changes by itself. desk.js holds the rest; whatever is done here has a button or a link as well.
(() => {
  const desk = document.querySelector(".cs-desk"), table = document.querySelector(".cs-thread-list");
  if (!desk || !table) return;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const rows = () => all(".cs-thread", table);
  const linkOf = (row) => row?.querySelector(".cs-thread-id > a");
  const bulk = document.getElementById("cs-bulk"), bar = document.querySelector(".cs-selection"), counter = bar?.querySelector("[data-selected]");
  const chosen = () => all(".cs-thread-check:checked", table);

  // --- All that match -------------------------------------------------------------------------------------------------------------------------
  const offer = document.querySelector(".cs-whole"), whole = offer?.querySelector("input"), page = document.querySelector(".cs-check-all");
  function offerWhole() {
    if (!offer) return;
    const every = Boolean(page?.checked);
    offer.classList.toggle("cs-is-offered", every);
    if (!every) whole.checked = false;
    if (whole.checked) counter.textContent = offer.textContent.trim();
    else if (every) counter.textContent = counter.dataset.selected.replace("%(n)s", chosen().length.toLocaleString(desk.lang));
  }
  document.addEventListener("change", (event) => { if (event.target.closest(".cs-thread-check, .cs-check-all, .cs-whole")) offerWhole(); });
  bulk?.addEventListener("reset", () => setTimeout(offerWhole));
  addEventListener("pageshow", offerWhole);
  offerWhole();

  // How many a question is about.
  const tellHowMany = () => all("[data-how-many]").forEach((place) => (place.textContent = counter?.textContent ?? ""));
  document.addEventListener("click", (event) => { if (event.target.closest("[data-opens]")) tellHowMany(); }, true);

  // --- By mouse: the middle button opens a row in a tab of its own ----------------------------------------------------------------------------
  table.tBodies[0].addEventListener("auxclick", (event) => {
    if (event.button !== 1 || event.target.closest("a, button, input, select")) return;
    const link = linkOf(event.target.closest(".cs-thread"));
    if (link) { event.preventDefault(); open(link.href); }
  });
  // Where a press of it would begin to scroll, that must not be instead.
  table.tBodies[0].addEventListener("mousedown", (event) => { if (event.button === 1 && event.target.closest(".cs-thread")) event.preventDefault(); });

  // --- By keyboard ------------------------------------------------------------------------------------------------------------------------------
  const present = () => document.activeElement?.closest?.(".cs-thread");
  function move(by) {
    const every = rows(), now = every.indexOf(present());
    const next = now < 0 ? (by > 0 ? 0 : every.length - 1) : Math.min(Math.max(now + by, 0), every.length - 1);
    const link = linkOf(every[next]);
    link?.focus();
    every[next]?.scrollIntoView({ block: "nearest" });
  }
  function select() {
    const box = present()?.querySelector(".cs-thread-check");
    box?.click();
  }
  function mark(status) {
    if (chosen().length) return bar.querySelector(`button[name=action][value=${status}]`)?.click();
    const field = present()?.querySelector("select[data-thread]");
    if (!field || field.value === status) return;
    field.value = status;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  function assign() {
    const dialog = document.getElementById("cs-assign");
    if (!dialog) return;
    if (!chosen().length) select();
    if (!chosen().length) return;
    tellHowMany();
    dialog.showModal();
    dialog.querySelector("select").focus();
  }
  function search() {
    const find = document.getElementById("cs-find");
    const fields = table.tHead.classList.contains("cs-is-folded") && document.querySelector("[data-unfolds]");
    if (!find && fields && fields.offsetParent) fields.click();
    (find ?? document.querySelector("[data-search]"))?.focus();
  }
  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    x: select,
    a: assign,
    e: () => mark("closed"),
    o: () => mark("open"),
    1: () => mark("pending1"),
    2: () => mark("pending2"),
    g: () => document.querySelector("[data-next-unanswered]")?.click(),
    "/": search,
    "?": () => document.getElementById("cs-keys")?.showModal(),
  };
  // Where the layout has no Latin letters, the place of a key tells which one is meant.
  const keyOf = (event) => (/^[\x21-\x7e]$/.test(event.key) ? event.key : /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key);
  const types = (field) => field.isContentEditable || field.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])");
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("[data-keys-off]")) return;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    // In an open menu a letter looks for a name.
    if (document.querySelector("dialog[open]") || types(event.target) || event.target.closest("details.cs-menu[open]")) return;
    const does = Object.hasOwn(KEYS, keyOf(event)) && KEYS[keyOf(event)];
    if (!does) return;
    event.preventDefault();
    does();
  });

  // --- What changes by itself: asked again while somebody looks ---------------------------------------------------------------------------------
  function again(seconds, ask) {
    let waits;
    const later = () => { clearTimeout(waits); waits = setTimeout(now, seconds * 1000); };
    const now = async () => {
      if (document.hidden) return later();
      let goes = true;
      try { goes = await ask(); } catch { /* no connection: the next time */ }
      if (goes) later();
    };
    document.addEventListener("visibilitychange", () => { if (!document.hidden) later(); });
    later();
  }
  async function answerOf(address) {
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    // A server that fails may be well again the next time; one that does not let us in any more will not.
    if (response.status >= 500) throw new Error(String(response.status));
    return response.ok && !response.redirected ? response.json() : null;
  }

  const jobs = document.querySelector("[data-bulk-jobs]");
  if (jobs?.hasAttribute("data-runs")) again(2, async () => {
    const answer = await answerOf(jobs.dataset.bulkJobs);
    if (!answer) return false;
    const drawn = document.createElement("template");
    drawn.innerHTML = answer.html;
    const ids = (root) => all("progress", root).map((one) => one.getAttribute("aria-labelledby")).join();
    if (ids(jobs) && ids(jobs) === ids(drawn.content)) {
      // Only what is further than before: a button that has the focus keeps it.
      all("progress", drawn.content).forEach((one, n) => {
        const old = all("progress", jobs)[n], words = one.getAttribute("aria-labelledby");
        for (const name of ["value", "max"]) if (one.hasAttribute(name)) old.setAttribute(name, one.getAttribute(name));
        document.getElementById(words).textContent = drawn.content.getElementById(words).textContent;
      });
    } else jobs.replaceChildren(drawn.content);
    return answer.runs;
  });

  const views = document.querySelector("[data-view-counts]");
  const count = async () => {
    const answer = await answerOf(views.dataset.viewCounts);
    for (const link of answer ? all("[data-view]", views) : []) {
      // The view that is shown says how many there are, and not only up to 99.
      if (!link.hasAttribute("aria-current")) link.querySelector("[data-count]").textContent = answer[link.dataset.view] ?? "";
    }
    return answer !== null;
  };
  if (views) { count().catch(() => {}); again(60, count); }
})();

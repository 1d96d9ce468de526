// What makes the thread page quicker: everything here has a form or a link behind it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const page = document.querySelector(".cs-thread-page");
  if (!page) return;
  const answer = document.getElementById("cs-answer");
  const narrow = () => page.closest(".cs-desk").clientWidth < 1020;

  prepare(page);
  if (narrow()) fold(page);
  showNewest();
  if (answer) { once(); copies(); }
  // Not before the page has gone to the place that its address names, as that of an answer does: on its way there a browser takes the focus from every field.
  addEventListener("load", () => {
    if (document.activeElement === document.body) answer?.querySelector("[autofocus], [aria-invalid]")?.focus();
    tell();
  });
  keys();

  // Selects save by themselves, so that their buttons may go.
  function prepare(root) {
    all("[data-submits-itself]", root).forEach((form) => {
      all("[data-save]", form).forEach((button) => (button.hidden = true));
      all("select", form).forEach((select) => {
        // Arrow keys pass other choices on their way: a short wait lets them pass.
        let typed = false, waits;
        select.addEventListener("keydown", () => (typed = true));
        select.addEventListener("pointerdown", () => (typed = false));
        select.addEventListener("change", () => { clearTimeout(waits); waits = setTimeout(() => form.requestSubmit(), typed ? 600 : 0); });
      });
    });
    all("[data-opens]", root).forEach((link) => link.setAttribute("role", "button"));
  }

  // On a phone: conversation first, the rest folds.
  function fold(root) {
    all("details.cs-side-block:not(:has([aria-invalid]))", root).forEach((block) => (block.open = false));
  }

  // What handles the thread is done beside the answer that is being written: the page is fetched anew, and its other parts are changed.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-quiet]") || !page.contains(form)) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    const body = new URLSearchParams(new FormData(form, event.submitter));
    body.set("quiet", "yes");
    const held = document.activeElement?.id, place = placeOf(document.activeElement);
    try {
      const response = await fetch(form.action, { method: "POST", body });
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!fresh.querySelector(".cs-thread-page")) throw new Error("no thread came back");
      change(fresh, form);
      knows(Number(new URL(response.url).searchParams.get("wrote")));
      const wrong = form.closest(".cs-forward") && page.querySelector(".cs-forward [aria-invalid]");
      (wrong || document.getElementById(held))?.focus({ preventScroll: !wrong });
      if (document.activeElement === document.body) place()?.focus({ preventScroll: true });
    } catch {
      // Whatever it was, the plain way shows it.
      delete form.dataset.busy;
      form.removeAttribute("data-quiet");
      form.requestSubmit(event.submitter);
    }
  });

  // The button that was pressed comes anew, and loses the focus: it goes to the fold or menu in which it stood, to its message, or to what stands in its place.
  function placeOf(element) {
    const part = element?.closest("[data-part]"), fold = element?.closest("details"), message = element?.closest(".cs-message");
    if (!part) return () => null;
    const alike = (root) => all(fold ? `details.${[...fold.classList].join(".")}` : "form > button", root), at = alike(part).indexOf(fold ?? element);
    return () => {
      const entry = message && document.getElementById(message.id);
      if (entry) { entry.tabIndex = -1; return entry; }
      const there = alike(page.querySelector(`[data-part="${part.dataset.part}"]`))[at];
      return fold ? there?.querySelector("summary") : there;
    };
  }

  // What this very form wrote is nothing new to the answer beside it, unless something else stands before it that has not been seen.
  function knows(wrote) {
    const seen = answer?.elements.seen;
    if (!seen || !wrote) return;
    const ids = all(".cs-conversation > .cs-message", page).map((one) => Number(one.id.replace("message-", "")));
    if (Math.min(...ids.filter((id) => id > Number(seen.value))) === wrote) seen.value = wrote;
  }

  // What leaves by itself moves the thread too: the page is fetched anew when its time has come.
  document.addEventListener("cs-stale", async () => {
    // Where presence.js follows the conversation, it does this, and tells what has come in besides.
    if (page.querySelector("[data-presence][data-follows]")) return;
    try {
      const response = await fetch(location.href);
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      if (response.ok && fresh.querySelector(".cs-thread-page")) change(fresh, page, ["head", "conversation", "side"]);
    } catch { /* the page stands as it was */ }
  });

  function change(fresh, form, parts) {
    all("[data-part]", page).filter((part) => !parts || parts.includes(part.dataset.part)).forEach((part) => {
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!other) return;
      const blocks = "details.cs-side-block:not(.cs-forward)";
      const folded = all(blocks, part).map((block) => block.open);
      const next = document.importNode(other, true);
      all(blocks, next).forEach((block, place) => (block.open = folded[place] ?? block.open));
      // What is being written to whoever it is forwarded to stays, unless it has just been sent.
      const writing = part.querySelector(".cs-forward");
      if (writing && !writing.contains(form)) next.querySelector(".cs-forward")?.replaceWith(writing);
      part.replaceWith(next);
      prepare(next);
    });
    tell();
    const box = fresh.getElementById("cs-answer");
    // A thread that can no longer be answered, or can be again: the box comes and goes with the whole page.
    if (!box !== !answer) location.reload();
  }

  // What others have changed meanwhile, which presence.js has fetched.
  page.addEventListener("cs-fresh", (event) => change(event.detail, null));

  // Dialogs and links of parts that were fetched later have no listeners of their own.
  page.addEventListener("click", (event) => {
    const link = event.target.closest("[data-unfolds]");
    if (link) {
      event.preventDefault();
      link.closest("details.cs-menu")?.removeAttribute("open");
      document.getElementById(link.dataset.unfolds).open = true;
      document.querySelector(link.hash).focus();
      return;
    }
    const opener = event.target.closest("[data-opens]");
    const dialog = opener && document.getElementById(opener.dataset.opens);
    if (!dialog) return;
    event.preventDefault();
    opener.closest("details.cs-menu")?.removeAttribute("open");
    if (!dialog.open) dialog.showModal();
  });
  page.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.matches("a[data-opens]")) { event.preventDefault(); event.target.click(); }
  });

  // The newest message stands at the bottom, and in view.
  function showNewest() {
    const unseen = page.querySelector(".cs-message.cs-is-new");
    if (unseen) { unseen.scrollIntoView({ block: "start", behavior: "instant" }); return; }
    const newest = all(".cs-conversation > li", page).at(-1);
    if (!newest || !answer || location.hash || new URLSearchParams(location.search).has("before") || answer.querySelector("[autofocus]")) return;
    const room = innerHeight - answer.offsetHeight;
    if (newest.getBoundingClientRect().bottom > room) scrollBy({ top: newest.getBoundingClientRect().bottom - room + 8, behavior: "instant" });
  }

  // What was done stands above the conversation. Whoever is at its end is told there, for as long as the list tells it; what went wrong stays.
  // What can be taken back is in view by itself.
  function tell() {
    const part = page.querySelector("[data-part=said]");
    const lines = all(".cs-said > .cs-message-line, [data-part=said] > .cs-message-line.cs-is-bad", part);
    if (!lines.some((line) => line.getBoundingClientRect().bottom < 0) || part.querySelector(".cs-unsent")) return;
    part.classList.add("cs-is-told");
    if (!lines.some((line) => line.classList.contains("cs-is-bad"))) setTimeout(() => part.classList.remove("cs-is-told"), 8000);
  }

  // A second click while the first is on its way would only wait for it.
  function once() {
    let sent = false;
    answer.addEventListener("submit", (event) => {
      if (sent) { event.preventDefault(); return; }
      sent = true;
      answer.setAttribute("aria-busy", "true");
    });
    addEventListener("pageshow", () => { sent = false; answer.removeAttribute("aria-busy"); });
    // Enter in the line for copies sends nothing.
    document.getElementById("cs-cc")?.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  }

  // Whoever unfolds the line for copies writes in it next. A line that comes unfolded takes the focus from nobody.
  function copies() {
    const fold = answer.querySelector(".cs-copies"), line = document.getElementById("cs-cc");
    fold?.querySelector("summary").addEventListener("click", () => fold.addEventListener("toggle", () => fold.open && line.focus(), { once: true }));
  }

  // Keys, never while somebody types, nor on a button of the answer box, where a word that misses its field would be taken for them.
  // j and k move, r reply, n note, a assign, e close, o open, 1 and 2 pending, g next unanswered, / search, ? the list.
  function keys() {
    const write = (kind) => {
      if (!answer) return;
      answer.querySelector(`[name=kind][value=${kind}]`).checked = true;
      document.getElementById(kind === "note" ? "cs-note" : "cs-text").focus();
    };
    const choose = (status) => {
      const select = document.querySelector("select[name=status]");
      if (!select || select.value === status) return;
      select.value = status;
      select.form.requestSubmit();
    };
    // The focus moves along, so that whoever does not see the page hears the message it has moved to.
    const move = (by) => {
      const messages = all(".cs-conversation > .cs-message", page), now = messages.indexOf(document.activeElement?.closest(".cs-message"));
      const next = messages[now < 0 ? messages.length - 1 : Math.min(Math.max(now + by, 0), messages.length - 1)];
      if (!next) return;
      next.tabIndex = -1;
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    };
    // Where the layout has no Latin letters, the place of a key tells which one is meant.
    const keyOf = (event) => (/^[\x21-\x7e]$/.test(event.key) ? event.key : /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key);
    const does = {
      j: () => move(1), k: () => move(-1), "/": () => document.querySelector("[data-to-list]")?.click(), "?": () => document.getElementById("cs-keys")?.showModal(),
      r: () => write("reply"), n: () => write("note"), a: () => document.getElementById("cs-assignee")?.focus(),
      e: () => choose("closed"), o: () => choose("open"), 1: () => choose("pending1"), 2: () => choose("pending2"),
      g: () => document.querySelector(".cs-next")?.click(),
    };
    document.addEventListener("keydown", (event) => {
      if (document.querySelector("[data-keys-off]") || event.defaultPrevented) return;
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat || document.querySelector("dialog[open]")) return;
      if (event.target.closest("#cs-answer, input, textarea, select, [contenteditable], details.cs-menu[open]") || !Object.hasOwn(does, keyOf(event))) return;
      event.preventDefault();
      does[keyOf(event)]();
    });
  }
})();

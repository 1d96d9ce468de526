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
  if (answer) files();
  if (answer) once();
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
    const held = document.activeElement?.id;
    try {
      const response = await fetch(form.action, { method: "POST", body });
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!fresh.querySelector(".cs-thread-page")) throw new Error("no thread came back");
      change(fresh, form);
      const wrong = form.closest(".cs-forward") && page.querySelector(".cs-forward [aria-invalid]");
      (wrong || document.getElementById(held))?.focus({ preventScroll: !wrong });
    } catch {
      // Whatever it was, the plain way shows it.
      delete form.dataset.busy;
      form.removeAttribute("data-quiet");
      form.requestSubmit(event.submitter);
    }
  });

  function change(fresh, form) {
    all("[data-part]", page).forEach((part) => {
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
    const box = fresh.getElementById("cs-answer");
    // A thread that can no longer be answered, or can be again: the box comes and goes with the whole page.
    if (!box !== !answer) location.reload();
  }

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

  // Chosen files stand as chips that can be taken away again; what is too large is told before it is sent.
  function files() {
    const input = document.getElementById("cs-file"), shelf = answer.querySelector("[data-files]");
    if (!input) return;
    answer.classList.add("cs-has-script");
    const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3)).toLocaleString(document.documentElement.lang || undefined)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
    let chosen = [];
    const keep = () => {
      const basket = new DataTransfer();
      chosen.forEach((file) => basket.items.add(file));
      input.files = basket.files;
      draw();
    };
    const draw = () => {
      all("[data-chosen]", shelf).forEach((chip) => chip.remove());
      chosen.forEach((file, place) => {
        const chip = document.createElement("span"), name = document.createElement("bdi"), weight = document.createElement("span"), away = document.createElement("button");
        chip.className = "cs-file";
        chip.dataset.chosen = "";
        name.textContent = file.name;
        weight.className = "cs-muted";
        weight.textContent = size(file.size);
        away.type = "button";
        away.className = "cs-file-away";
        away.setAttribute("aria-label", answer.dataset.remove.replace("%(name)s", () => file.name));
        away.innerHTML = '<svg aria-hidden="true"><use href="#cs-i-cross"/></svg>';
        away.addEventListener("click", () => { chosen.splice(place, 1); keep(); input.focus(); });
        chip.append(name, weight, away);
        shelf.append(chip);
      });
      input.setCustomValidity(wrong());
    };
    const wrong = () => {
      const { most, each, together, tooLarge, tooMany } = answer.dataset;
      const kept = all("[name=kept_file]:checked", shelf).length;
      if (chosen.length + kept > Number(most)) return tooMany;
      const large = chosen.find((file) => file.size > Number(each));
      if (large) return `${large.name}: ${tooLarge}`;
      return chosen.reduce((sum, file) => sum + file.size, 0) > Number(together) ? tooLarge : "";
    };
    input.addEventListener("change", () => { chosen = [...chosen, ...input.files]; keep(); });
    answer.addEventListener("submit", (event) => {
      input.setCustomValidity(wrong());
      if (input.checkValidity()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      tell(input.validationMessage, input);
    });
    input.addEventListener("invalid", (event) => event.preventDefault());
    addEventListener("pageshow", () => { if (input.files.length && !chosen.length) { chosen = [...input.files]; draw(); } });
  }

  function tell(words, field) {
    const before = document.getElementById("cs-file-error");
    const line = before ?? document.createElement("div"), text = document.createElement("span");
    line.id = "cs-file-error";
    line.className = "cs-error";
    line.setAttribute("role", "alert");
    line.innerHTML = '<svg aria-hidden="true"><use href="#cs-i-warn"/></svg>';
    text.textContent = words;
    line.append(text);
    if (!before) answer.querySelector(".cs-answer-send").before(line);
    field.setAttribute("aria-describedby", line.id);
    field.focus();
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

  // Keys, never while somebody types: j and k move, r reply, n note, a assign, e close, o open, 1 and 2 pending, g next unanswered, / search, ? the list.
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
      if (event.target.closest("input, textarea, select, [contenteditable], details.cs-menu[open]") || !Object.hasOwn(does, keyOf(event))) return;
      event.preventDefault();
      does[keyOf(event)]();
    });
  }
})();

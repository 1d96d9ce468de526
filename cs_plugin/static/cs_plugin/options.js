// The form of the options: what is inherited sleeps, one language of a text at a time, tooltips for fingers and Escape, a search among shops, and the
// answer of "Test connection" beside its button. Without a script all of it is there, or done by the server.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = document.getElementById("cs-options-form");

  tooltips();
  languages();
  inheritance();
  searches();
  if (!form) return;
  information();
  trial();
  document.querySelector("[data-summary]")?.focus();

  // A tooltip shows on hover and focus by itself. A finger gives neither on every device; Escape closes it and stays closed until it is left.
  function tooltips() {
    const helps = all("[data-help]");
    const close = (help) => { help.classList.remove("cs-is-shown"); help.classList.add("cs-is-closed"); };
    helps.forEach((help) => {
      const button = help.querySelector("button");
      button.addEventListener("click", () => { help.classList.remove("cs-is-closed"); help.classList.add("cs-is-shown"); });
      help.addEventListener("mouseleave", () => help.classList.remove("cs-is-closed", "cs-is-shown"));
      button.addEventListener("blur", () => help.classList.remove("cs-is-closed", "cs-is-shown"));
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") helps.filter((help) => help.matches(":hover, :focus-within, .cs-is-shown")).forEach(close); });
    document.addEventListener("click", (event) => helps.forEach((help) => help.contains(event.target) || help.classList.remove("cs-is-shown")));
  }

  function languages() {
    all("[data-languages]").forEach((texts) => {
      const choice = texts.querySelector("[data-language-choice]");
      const show = () => all("[data-language]", texts).forEach((one) => (one.hidden = one.dataset.language !== choice.value));
      texts.classList.add("cs-is-scripted");
      choice.hidden = false;
      choice.addEventListener("change", show);
      addEventListener("pageshow", show);
      show();
    });
    // A link at the top of the page leads to a text in the language that it names.
    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-summary] a"), field = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
      if (!field) return;
      const part = field.closest("[data-language]"), choice = part?.closest("[data-languages]").querySelector("[data-language-choice]");
      if (choice) { choice.value = part.dataset.language; choice.dispatchEvent(new Event("change")); }
      event.preventDefault();
      // What is inherited cannot be mended before its box is checked.
      (field.disabled ? field.closest("[data-option]").querySelector("[data-own]") : field).focus();
    });
  }

  // An unchecked box: the inherited value, which cannot be changed. What was there before comes back when the box is checked again.
  function inheritance() {
    all("[data-own]").forEach((box) => {
      const fields = all("[data-inherited]", box.closest("[data-option]")), typed = new Map();
      const read = (field) => (field.type === "checkbox" ? field.checked : field.value);
      const write = (field, value) => (field.type === "checkbox" ? (field.checked = value) : (field.value = value));
      const show = () => fields.forEach((field) => {
        if (!box.checked && !field.disabled) typed.set(field, read(field));
        if (!box.checked) write(field, field.type === "checkbox" ? field.dataset.inherited === "y" : field.dataset.inherited);
        else if (typed.has(field)) { write(field, typed.get(field)); typed.delete(field); }
        field.disabled = !box.checked;
      });
      if (box.disabled) return;
      box.addEventListener("change", show);
      addEventListener("pageshow", show);
      show();
    });
  }

  function searches() {
    all(".cs-elsewhere").forEach((menu) => {
      const place = menu.querySelector("[data-elsewhere-search]"), input = place.querySelector("input"), none = menu.querySelector("[data-elsewhere-none]");
      const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
      const find = () => {
        const sought = plain(input.value.trim());
        all("[data-name]", menu).forEach((one) => (one.hidden = !plain(one.dataset.name).includes(sought)));
        none.textContent = all("[data-name]:not([hidden])", menu).length ? "" : none.dataset.elsewhereNone;
      };
      place.hidden = false;
      input.addEventListener("input", find);
      input.addEventListener("keydown", (event) => {
        if (event.key === "Enter") event.preventDefault();   // it searches, and does not save
        if (event.key === "Escape" && input.value) { event.preventDefault(); event.stopPropagation(); input.value = ""; find(); }
      });
      menu.addEventListener("toggle", () => { if (menu.open) input.focus(); else { input.value = ""; find(); } });
    });
  }

  // Its buttons are called "action", and hide the property of that name.
  async function post(button) {
    const body = new FormData(form, button);
    return fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "application/json" } });
  }

  // Put away without leaving the page, and whatever was typed on it.
  function information() {
    const button = document.querySelector("[data-closes-information]");
    button?.addEventListener("click", async (event) => {
      event.preventDefault();
      const line = button.closest("[data-information]");
      const response = await post(button).catch(() => null);
      if (response?.status === 204) line.remove();
    });
  }

  function trial() {
    const button = form.querySelector("[data-tests]"), place = form.querySelector("[data-trial]");
    if (!button) return;
    let asked = 0;
    const say = (words) => { const line = document.createElement("p"); line.className = "cs-muted"; line.textContent = words; place.replaceChildren(line); };
    button.addEventListener("click", async (event) => {
      if (button.dataset.asks) return;
      event.preventDefault();
      const mine = ++asked;
      say(button.dataset.testing);
      try {
        const answer = await (await post(button)).json();
        if (answer.wrong) {
          // What is wrong stands at the fields of the page that the server then shows.
          button.dataset.asks = "yes";
          form.requestSubmit(button);
        } else await wait(answer.answer, mine);
      } catch {
        if (mine === asked) say(button.dataset.failed);
      }
    });

    async function wait(address, mine) {
      for (let pause = 300; mine === asked; pause = Math.min(pause * 1.5, 3000)) {
        const response = await fetch(address, { headers: { Accept: "application/json" } });
        if (!response.ok) throw new Error(response.statusText);
        const { done, html } = await response.json();
        if (mine !== asked) return;
        if (place.dataset.shown !== html) place.innerHTML = html;
        place.dataset.shown = html;
        if (done) return;
        await new Promise((go) => setTimeout(go, pause));
      }
    }
  }
})();

// Mail in: the answer of "Test connection" beside its button, folders to choose from, the progress of a run. Without a script the server does all of it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = document.getElementById("cs-mailbox-form");

  document.querySelector("[data-wrong]")?.focus();
  all("[data-chooses]").forEach((field) => field.addEventListener("input", () => { field.closest("label").querySelector("input[type=radio]").checked = true; }));
  all("[data-counts]").forEach(count);
  all("[data-sync], [data-counting]").forEach(progress);
  if (form) { test(); signIn(); folders(); }

  // Asks until it is done, at growing pauses; `stays` says whether anybody still wants to know.
  async function wait(address, stays, show) {
    for (let pause = 300; stays(); pause = Math.min(pause * 1.5, 3000)) {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(response.statusText);
      const answer = await response.json();
      if (!stays()) return;
      show(answer);
      if (answer.done) return;
      await new Promise((go) => setTimeout(go, pause));
    }
  }

  function shown(place, html) {
    if (place.dataset.shown !== html) place.innerHTML = html;
    place.dataset.shown = html;
  }

  // How many mails lie there is known once the mailbox has been looked at: the page then says so.
  function count(place) {
    wait(place.dataset.counts, () => true, ({ done, html }) => { shown(place, html); if (done && !place.hasAttribute("data-done")) { place.setAttribute("data-done", ""); if (place.querySelector(".cs-error") === null) location.reload(); } }).catch(() => {});
  }

  function test() {
    const button = form.querySelector("[data-tests]"), place = form.querySelector("[data-trial-here]");
    if (!button) return;
    let asked = 0;
    const say = (words) => { const line = document.createElement("p"); line.className = "cs-muted"; line.textContent = words; place.replaceChildren(line); delete place.dataset.shown; };
    button.addEventListener("click", async (event) => {
      if (button.dataset.asks) return;
      event.preventDefault();
      const mine = ++asked;
      say(button.dataset.testing);
      try {
        const answer = await (await fetch(form.getAttribute("action"), { method: "POST", body: new FormData(form, button), headers: { Accept: "application/json" } })).json();
        if (answer.wrong) {
          // What is wrong stands at the fields of the page that the server then shows.
          button.dataset.asks = "yes";
          form.requestSubmit(button);
        } else await wait(answer.answer, () => mine === asked, ({ html, folders: names }) => {
          shown(place, html);
          document.getElementById("cs-folders").replaceChildren(...(names ?? []).map((name) => { const option = document.createElement("option"); option.value = name; return option; }));
          folders();
        });
      } catch {
        if (mine === asked) say(button.dataset.failed);
      }
    });
  }

  // A folder that the server has told is chosen by a click.
  function folders() {
    all(".cs-folders > li", form).forEach((item) => {
      if (item.querySelector("button")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...item.childNodes);
      button.addEventListener("click", () => { const field = form.elements.folder; field.value = button.textContent; field.dispatchEvent(new Event("input", { bubbles: true })); field.focus(); });
      item.append(button);
    });
  }

  // Whoever signs in with an authorisation needs no password, and the provider's server is known.
  function signIn() {
    const choice = form.querySelector("[data-sign-in]"), password = form.querySelector("[data-password]"), { server, port, protocol } = form.elements;
    const show = () => { password.hidden = choice.value !== ""; };
    choice.addEventListener("change", () => {
      show();
      const [name, number] = (choice.selectedOptions[0].dataset[protocol.value] ?? "").split(" ");
      if (name && !server.value) { server.value = name; port.value = number; form.elements.cs_imap_ssl?.click(); }
    });
    addEventListener("pageshow", show);
    show();
  }

  // A run that goes on, or a count, is looked at until it is done.
  function progress(place) {
    const address = place.dataset.sync || place.dataset.counting;
    if (!address) return;
    wait(address, () => place.isConnected, ({ html }) => shown(place, html)).catch(() => {});
  }
})();

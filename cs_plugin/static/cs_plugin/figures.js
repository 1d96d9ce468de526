// Figures are calculated anew in place, and the panel's fold is remembered. Without this file the same forms do it, and the page comes again.
(() => {
  const form = document.getElementById("cs-figures"), said = document.querySelector("[data-figures-said]");
  const fold = document.querySelector("[data-remembers]");
  if (form) figures();
  if (fold) remembers();

  function figures() {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!form.classList.contains("cs-is-busy")) refresh(event.submitter);
    });
    // Escape closes the tooltip under the pointer or the focus, and it stays closed until it is left.
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      form.querySelectorAll(".cs-help:is(:hover, :focus-within)").forEach((help) => {
        help.classList.add("cs-is-closed");
        ["pointerleave", "focusout"].forEach((left) => help.addEventListener(left, () => help.classList.remove("cs-is-closed"), { once: true }));
      });
    });
  }

  async function refresh(button) {
    const name = button?.value ?? "all", body = new URLSearchParams(new FormData(form));
    body.set("refresh", name);
    form.classList.add("cs-is-busy");
    form.setAttribute("aria-busy", "true");
    let answer = { good: false, text: form.dataset.failed };
    try {
      const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
      if (response.headers.get("Content-Type")?.startsWith("application/json")) answer = await response.json();
    } catch { /* no connection: the sentence above says it */ }
    form.classList.remove("cs-is-busy");
    form.removeAttribute("aria-busy");
    if (answer.good) draw(answer.cards, name);
    tell(answer, name);
  }

  // Our own server's cards; the button that was pressed keeps the focus.
  function draw(cards, name) {
    const focused = form.contains(document.activeElement);
    form.querySelectorAll(".cs-kpi").forEach((card) => card.remove());
    form.insertAdjacentHTML("beforeend", cards);
    if (focused) form.querySelector(`button[value="${name}"]`)?.focus();
  }

  function tell(answer, name) {
    const cards = [...form.querySelectorAll(".cs-kpi")].filter((card) => name === "all" || card.dataset.kpi === name);
    const words = cards.map((card) => `${card.querySelector("h2").textContent}: ${card.querySelector("b").textContent}`);
    said.classList.toggle("cs-hidden", answer.good);
    said.classList.toggle("cs-message-line", !answer.good);
    said.classList.toggle("cs-is-bad", !answer.good);
    said.textContent = answer.good ? `${answer.text} ${words.join(", ")}` : answer.text;
  }

  function remembers() {
    const remembered = document.getElementById(fold.dataset.remembers);
    let was = fold.open;
    fold.addEventListener("toggle", () => {
      // A panel that comes unfolded says so as well.
      if (fold.open === was) return;
      was = fold.open;
      const body = new URLSearchParams(new FormData(remembered));
      body.set("unfolded", fold.open ? "yes" : "no");
      fetch(remembered.action, { method: "POST", body, headers: { Accept: "application/json" }, keepalive: true }).catch(() => {});
    });
  }
})();

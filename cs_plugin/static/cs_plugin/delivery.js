// While a mail of this page waits to be sent, ask how far it is, and say what came of it. Nothing is asked while none waits, or nobody looks.
(() => {
  const OFTEN = 3_000, SELDOM = 60_000;

  const page = document.querySelector("[data-deliveries]"), said = page?.querySelector("[data-delivery-said]");
  if (!page) return;
  const waiting = () => [...page.querySelectorAll('.cs-message > [data-delivery="queued"]')];
  let wait = OFTEN, timer = null, asking = false, stopped = false, waited = new Set(waiting().map((line) => line.dataset.message));

  function plan() {
    clearTimeout(timer);
    timer = !stopped && !document.hidden && waiting().length ? setTimeout(ask, wait) : null;
  }

  async function ask() {
    timer = null;
    const lines = waiting();
    if (asking || stopped || document.hidden || !lines.length) return;
    asking = true;
    try {
      const address = new URL(page.dataset.deliveries, location.href);
      for (const line of lines) address.searchParams.append("message", line.dataset.message);
      const answer = await fetch(address, { credentials: "same-origin", redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) { stopped = true; return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      wait = show(fresh) ? OFTEN : Math.min(1.5 * wait, SELDOM);
    } catch {
      wait = Math.min(2 * wait, SELDOM);
    } finally {
      asking = false;
      plan();
    }
  }

  // Put in place what has changed; the parts of the page may have been fetched anew meanwhile.
  function show(fresh) {
    let changed = false;
    for (const line of waiting()) {
      const other = fresh.querySelector(`[data-message="${line.dataset.message}"]`);
      if (!other || other.textContent.trim() === line.textContent.trim()) continue;
      line.replaceWith(document.importNode(other, true));
      changed = true;
    }
    return changed;
  }

  // Said once for each mail that waited and does no more, whoever put that in place: this script, or one that fetched the whole conversation.
  function tell() {
    const lines = [...page.querySelectorAll(".cs-message > [data-delivery]")];
    const news = lines.filter((line) => line.dataset.delivery !== "queued" && waited.has(line.dataset.message));
    waited = new Set(waiting().map((line) => line.dataset.message));
    if (news.length) said.textContent = news.map((line) => line.querySelector(".cs-delivery").textContent.trim().replace(/\s+/g, " ")).join(". ");
  }

  // A mail that is tried again waits again: the page's own script puts that in place.
  new MutationObserver(() => { tell(); if (!asking && timer === null) { wait = OFTEN; plan(); } }).observe(page, { childList: true, subtree: true });
  document.addEventListener("visibilitychange", () => { if (document.hidden) plan(); else ask(); });
  addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  plan();
})();

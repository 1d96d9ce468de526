// While a mail of this page waits to be sent, ask how far it is, and say what came of it. Nothing is asked while none waits, or nobody looks.
(() => {
  const OFTEN = 3_000, SELDOM = 60_000;

  const page = document.querySelector("[data-deliveries]"), said = page?.querySelector("[data-delivery-said]");
  if (!page) return;
  const waiting = () => [...page.querySelectorAll('.cs-message > [data-delivery="queued"]')];
  let wait = OFTEN, timer = null, asking = false, stopped = false;

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
    const news = [];
    for (const line of waiting()) {
      const other = fresh.querySelector(`[data-message="${line.dataset.message}"]`);
      if (!other || other.textContent.trim() === line.textContent.trim()) continue;
      const next = document.importNode(other, true);
      line.replaceWith(next);
      news.push(next.querySelector(".cs-delivery").textContent.trim().replace(/\s+/g, " "));
    }
    if (news.length) said.textContent = news.join(". ");
    return news.length > 0;
  }

  // A mail that is tried again waits again: the page's own script puts that in place.
  new MutationObserver(() => { if (!asking && timer === null) { wait = OFTEN; plan(); } }).observe(page, { childList: true, subtree: true });
  document.addEventListener("visibilitychange", () => { if (document.hidden) plan(); else ask(); });
  addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  plan();
})();

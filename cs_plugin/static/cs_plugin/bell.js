// The bell: asks for news now and then, shows their number on the bell and before the title, and puts the newer list in its place.
// It rests while nobody looks at the page, asks more seldom while the server fails, and stops for good where it is not let in any more.
(() => {
  const OFTEN = 30_000, SELDOM = 600_000;

  const link = document.querySelector("[data-bell-link]");
  const bell = document.querySelector("[data-bell]") || (link && madeOf(link));
  if (!bell || bell.dataset.works) return;
  bell.dataset.works = "yes";
  const address = bell.dataset.bell, menu = bell.querySelector("details"), button = menu.querySelector("summary");
  const count = button.querySelector(".cs-bell-count"), body = menu.querySelector(".cs-bell-body"), status = bell.querySelector("[role=status]");
  let tag = null, wait = OFTEN, timer = null, asking = false, stopped = false, later = null, prefix = "";
  let number = Number((bell.querySelector(".cs-bell-list") || link).dataset.number);

  // Of the link in Flask-Admin's bar, which leads to a page where there are no scripts.
  function madeOf(words) {
    const made = document.createElement("div");
    made.className = "cs-bell cs-bell-of-bar";
    made.dataset.bell = words.dataset.bellLink;
    made.lang = words.lang;
    const details = made.appendChild(document.createElement("details"));
    details.className = "cs-bell-menu";
    const summary = details.appendChild(document.createElement("summary"));
    summary.className = "cs-bell-button";
    summary.setAttribute("role", "button");
    summary.setAttribute("aria-label", words.dataset.label);
    summary.append(words.querySelector(".cs-bell-glyph").cloneNode(true));
    const shown = summary.appendChild(document.createElement("span"));
    shown.className = "cs-bell-count";
    shown.setAttribute("aria-hidden", "true");
    shown.textContent = words.dataset.count;
    shown.hidden = !words.dataset.count;
    const inside = details.appendChild(document.createElement("div"));
    inside.className = "cs-bell-body";
    const title = inside.appendChild(document.createElement("p"));
    title.className = "cs-bell-title";
    title.dir = words.dir;
    title.textContent = words.dataset.title;
    const said = made.appendChild(document.createElement("span"));
    said.className = "cs-bell-hidden";
    said.setAttribute("role", "status");
    const anchor = words.closest("a");
    made.append(...words.querySelectorAll("link"));
    made.classList.toggle("nav-link", anchor.classList.contains("nav-link"));
    anchor.replaceWith(made);
    keepInView(made);
    return made;
  }

  // Where the bar folds its menu away, on a phone, the bell stands beside the button that unfolds it: news is to be seen without looking for it.
  function keepInView(made) {
    const fold = made.closest(".navbar-collapse"), button = fold?.parentElement.querySelector(":scope > .navbar-toggler");
    if (!button) return;
    const home = document.createComment("");
    made.before(home);
    const stand = () => {
      const folds = getComputedStyle(button).display !== "none";
      if (folds === made.classList.contains("cs-bell-in-view")) return;
      made.classList.toggle("cs-bell-in-view", folds);
      if (folds) button.after(made); else home.after(made);
    };
    addEventListener("resize", stand);
    stand();
  }

  function title(words) {
    if (prefix && document.title.startsWith(prefix)) document.title = document.title.slice(prefix.length);
    prefix = words ? `(${words}) ` : "";
    if (prefix) document.title = prefix + document.title;
  }

  function show(list) {
    const { count: words, label, number: found } = list.dataset;
    count.textContent = words;
    count.hidden = !words;
    button.setAttribute("aria-label", label);
    title(words);
    // Said once, when there is more than there was: a number that falls is the employee's own doing.
    if (Number(found) > number) status.textContent = label;
    number = Number(found);
    later = list;
    place();
  }

  // Whoever walks through the list keeps it until they have left it.
  function place() {
    const old = body.querySelector(".cs-bell-list");
    if (!later || (old && old.contains(document.activeElement))) return;
    if (old) old.replaceWith(later); else body.append(later);
    later = null;
  }

  function plan() {
    clearTimeout(timer);
    if (!stopped && !document.hidden) timer = setTimeout(ask, wait);
  }

  async function ask() {
    if (asking || stopped || document.hidden) return;
    asking = true;
    body.setAttribute("aria-busy", "true");
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const answer = await fetch(address, { headers, credentials: "same-origin", redirect: "manual", cache: "no-store" });
      // Signed out: the answer is a refusal, or a way to the sign-in.
      if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) { stopped = true; return; }
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(String(answer.status));
        const list = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("form.cs-bell-list");
        if (!list) { stopped = true; return; }   // a sign-in page, under this very address
        tag = answer.headers.get("ETag");
        show(document.adoptNode(list));
      }
      wait = OFTEN;
    } catch {
      wait = Math.min(2 * wait, SELDOM);
    } finally {
      asking = false;
      body.removeAttribute("aria-busy");
      plan();
    }
  }

  document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else ask(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  menu.addEventListener("focusout", () => setTimeout(place));
  menu.addEventListener("toggle", () => {
    if (!menu.open) return;
    // In a header that has the bell at its other end, the list opens to the other side.
    body.classList.remove("cs-bell-turned");
    const box = body.getBoundingClientRect();
    body.classList.toggle("cs-bell-turned", box.left < 0 || box.right > document.documentElement.clientWidth);
    ask();
  });
  document.addEventListener("click", (event) => { if (menu.open && !menu.contains(event.target)) menu.open = false; });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    const inside = menu.contains(document.activeElement);
    menu.open = false;
    if (inside) button.focus();
  });

  title(count.textContent);
  if (body.querySelector(".cs-bell-list")) plan(); else ask();
})();

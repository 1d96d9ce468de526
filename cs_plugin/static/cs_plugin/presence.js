// While somebody looks at a thread: says so, shows who else is there, and shows what comes in without touching the answer that is being written.
// It rests while nobody looks at the page, and asks more seldom while the server fails.
(() => {
  const OFTEN = 12_000, SELDOM = 300_000, TYPED = 20_000, SOON = 1_500;
  const page = document.querySelector(".cs-thread-page"), place = page?.querySelector("[data-presence]");
  if (!place) return;
  const answer = document.getElementById("cs-answer"), people = place.querySelector("[data-people]");
  const text = document.getElementById("cs-text"), note = document.getElementById("cs-note");
  let state = place.dataset.state, token = place.dataset.token, wait = OFTEN, timer = null, asking = false, typed = 0, said = false, out = false;

  const writes = () => Date.now() - typed < TYPED;
  const begun = () => Boolean(answer) && (note.value.trim() !== "" || ![(text.dataset.beginning ?? "").trim(), ""].includes(text.value.trim()));

  function plan(after = wait) {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, after);
  }

  function body() {
    const data = new URLSearchParams({ csrf_token: token });
    if (writes()) data.set("writing", "1");
    return data;
  }

  const post = (data, more = {}) => fetch(place.dataset.presence, {
    method: "POST", body: data, headers: { Accept: "application/json" }, credentials: "same-origin", redirect: "manual", cache: "no-store", ...more,
  });
  const isJson = (reply) => (reply.headers.get("Content-Type") ?? "").startsWith("application/json");

  async function ask() {
    if (asking || document.hidden) return;
    asking = true;
    clearTimeout(timer);
    try {
      const tells = writes();
      let reply = await post(body()), json = isJson(reply) ? await reply.json() : null;
      if (reply.status === 400 && json?.token) { renew(json.token); reply = await post(body()); json = isJson(reply) ? await reply.json() : null; }
      // Signed out: the answer is a refusal, a way to the sign-in, or its page under this very address.
      if (reply.type === "opaqueredirect" || [401, 403].includes(reply.status) || (reply.ok && !json)) {
        out = true;
        answer?.dispatchEvent(new Event("cs-signed-out"));
        wait = Math.min(2 * wait, SELDOM);
        return;
      }
      if (reply.status === 404) { wait = SELDOM; return; }   // moved out of sight, or erased
      if (!reply.ok) throw new Error(String(reply.status));
      renew(json.token);
      if (out) { out = false; answer?.dispatchEvent(new Event("cs-signed-in")); }
      said = tells;
      show(json.people);
      wait = OFTEN;
      if (json.state !== state && place.dataset.follows !== undefined && await follow()) state = json.state;
    } catch {
      wait = Math.min(2 * wait, SELDOM);
    } finally {
      asking = false;
      plan();
    }
  }

  // A form of the page is sent with the token that counts now, however long it has stood open.
  function renew(fresh) {
    token = fresh;
    document.querySelectorAll('input[name="csrf_token"]').forEach((one) => (one.value = fresh));
  }

  // Said once: a list that is put there anew, and is as it was, would be read out again.
  function show(html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    if (fresh.content.textContent.trim() !== people.textContent.trim()) people.replaceChildren(fresh.content);
  }

  // --- What has changed ---

  async function follow() {
    // A list or a menu that somebody is in the midst of is left alone until they are done.
    const active = document.activeElement;
    if (active?.closest("[data-part=head], [data-part=side]") && active !== document.body) return false;
    const reply = await fetch(location.href.split("#")[0], { credentials: "same-origin", redirect: "manual", cache: "no-store" });
    if (!reply.ok) return false;
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html"), list = fresh.querySelector(".cs-conversation");
    if (!list || !page.querySelector(".cs-conversation")) return false;
    merge(list, Number(fresh.querySelector("#cs-answer [name=seen]")?.value ?? 0));
    fresh.querySelectorAll("[data-part=conversation], [data-part=said]").forEach((part) => part.removeAttribute("data-part"));
    page.dispatchEvent(new CustomEvent("cs-fresh", { detail: fresh }));
    return true;
  }

  // Entries that are as they were stay as they are: a quotation that somebody has unfolded stays unfolded.
  function merge(list, seen) {
    const old = page.querySelector(".cs-conversation"), known = new Map([...old.querySelectorAll(".cs-message")].map((one) => [one.id, one]));
    const atEnd = atTheEnd(), came = [];
    const next = [...list.children].map((one) => {
      const before = known.get(one.id);
      if (before && words(before) === words(one)) return before;
      const made = document.importNode(one, true);
      if (one.id && !before) came.push(made);
      if (before?.classList.contains("cs-is-new")) mark(made);
      return made;
    });
    if (next.length === old.children.length && next.every((one, place_) => one === old.children[place_])) return;
    const active = old.contains(document.activeElement) ? document.activeElement : null, within = active?.closest(".cs-message")?.id;
    old.replaceChildren(...next);
    // Whoever walks through the conversation by keyboard goes on where they were.
    const again = active && (active.isConnected ? active : document.getElementById(within));
    if (again && again !== active) again.tabIndex = -1;
    again?.focus({ preventScroll: true });
    const news = came.filter((one) => Number(one.id.replace("message-", "")) > Number(answer?.elements.seen.value ?? 0));
    if (!news.length) return;
    if (begun()) { news.forEach(mark); tell(news, seen); return; }
    // Nothing is begun: the page is as if it had been opened now.
    if (answer && seen) answer.elements.seen.value = seen;
    if (atEnd) old.lastElementChild.scrollIntoView({ block: "nearest" });
  }

  const words = (one) => { const copy = one.cloneNode(true); copy.querySelectorAll(".cs-new-mark").forEach((mark_) => mark_.remove()); return copy.textContent.replace(/\s+/g, " "); };
  const atTheEnd = () => innerHeight + scrollY > document.documentElement.scrollHeight - 80;

  function mark(one) {
    one.classList.add("cs-is-new");
    if (one.querySelector(".cs-new-mark")) return;
    const made = document.createElement("span");
    made.className = "cs-new-mark";
    made.textContent = place.dataset.new;
    one.querySelector("header").append(made);
  }

  // An answer that is being written is not sent past what came in meanwhile: whoever writes it says that they have read that, or is asked again.
  function tell(news, seen) {
    const box = newsPlace(), template = place.querySelector("template[data-news]"), made = document.importNode(template.content, true);
    const last = news.at(-1), author = last.querySelector("header b").textContent.trim();
    const sentence = last.classList.contains("cs-note") ? place.dataset.noted : last.classList.contains("cs-from-employee") ? place.dataset.answered : place.dataset.wrote;
    made.querySelector("[data-news-words]").textContent = sentence.replace("%(name)s", () => author);
    made.querySelector("[data-news-link]").href = `#${news[0].id}`;
    made.querySelector("[data-news-read]").addEventListener("click", () => {
      if (seen) answer.elements.seen.value = seen;
      page.querySelectorAll(".cs-message.cs-is-new").forEach((one) => { one.classList.remove("cs-is-new"); one.querySelector(".cs-new-mark")?.remove(); });
      box.replaceChildren();
      (answer.querySelector("[name=kind][value=note]").checked ? note : text).focus();
    });
    box.replaceChildren(made);
  }

  function newsPlace() {
    let box = answer.querySelector("[data-news-here]");
    if (box) return box;
    box = document.createElement("div");
    box.dataset.newsHere = "";
    box.setAttribute("role", "status");
    answer.querySelector(".cs-answer-box").before(box);
    return box;
  }

  // --- When it asks ---

  answer?.addEventListener("input", (event) => {
    if (event.target !== text && event.target !== note) return;
    typed = Date.now();
    if (!said && !asking) plan(SOON);
  });
  document.addEventListener("cs-stale", () => { if (place.dataset.follows !== undefined) follow().catch(() => {}); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else { wait = OFTEN; ask(); } });
  addEventListener("focus", () => { if (out) { wait = OFTEN; ask(); } });
  addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  addEventListener("pagehide", () => { post(new URLSearchParams({ csrf_token: token, leaves: "1" }), { keepalive: true }).catch(() => {}); });
  plan();
})();

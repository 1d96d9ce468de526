// Keeps what is typed in the answer box: on the server a moment after the typing stops, and in this browser for as long as the server does not have it.
(() => {
  const form = document.getElementById("cs-answer"), place = form?.querySelector("[data-draft]");
  if (!place) return;
  // A save for a pause in the typing, and now and then while it goes on: never one for each key.
  const PAUSE = 1_200, AT_MOST = 8_000, AGAIN = 15_000, LOCAL_LASTS = 30 * 24 * 3_600_000;
  const field = (name) => form.elements.namedItem(name);
  const text = document.getElementById("cs-text"), note = document.getElementById("cs-note"), cc = document.getElementById("cs-cc");
  const words = place.querySelector("[data-draft-words]"), discard = place.querySelector("[data-draft-discard]"), told = form.querySelector("[data-draft-told]");
  const address = place.dataset.draft, here = `cs-draft-${place.dataset.employee}-${place.dataset.thread}`, me = place.dataset.form;
  let saved = snapshot(), timer = null, since = 0, turn = Number(place.dataset.turn) || 0, saving = null, leaving = false, held = "", undo = null, newest = 0, after = "";

  // Removed, not hidden: what is hidden is still in the way of whoever walks through the form.
  place.querySelector("[data-draft-save]").remove();

  function snapshot() {
    const reply = text.value.trim() === (text.dataset.beginning ?? "").trim() ? "" : text.value;
    const kept = [...form.querySelectorAll("[name=kept_file]:checked")].map((box) => box.value);
    return { text: reply, note: note.value, cc: cc?.value ?? "", kind: form.querySelector("[name=kind]:checked")?.value ?? "reply", quotes: Boolean(field("quotes")?.checked), kept };
  }
  const same = (one, other) => one.text.trim() === other.text.trim() && one.note.trim() === other.note.trim() && one.cc.trim() === other.cc.trim()
    && one.kind === other.kind && Boolean(one.quotes) === Boolean(other.quotes) && one.kept.join() === other.kept.join();
  const empty = (one) => !one.text.trim() && !one.note.trim() && !one.cc.trim() && !one.kept.length;
  // Which of the two the box stands at is kept with words, and not by itself.
  const unsaved = () => { const now = snapshot(); return !same(now, saved) && !(empty(now) && empty(saved)); };

  function put(one) {
    text.value = one.text || text.dataset.beginning || "";
    note.value = one.note;
    if (cc) { cc.value = one.cc; if (one.cc) cc.closest("details").open = true; }
    if (field("quotes")) field("quotes").checked = Boolean(one.quotes);
    form.querySelector(`[name=kind][value=${one.kind === "note" ? "note" : "reply"}]`).checked = true;
    [text, note].forEach((area) => area.dispatchEvent(new Event("input", { bubbles: true })));
  }

  // How a reply was to be sent that was taken back goes with its words; it returns how it was until then.
  function chooses(chosen) {
    const before = Object.fromEntries(Object.keys(chosen).map((name) => [name, field(name).value]));
    Object.entries(chosen).forEach(([name, value]) => (field(name).value = value));
    const again = form.querySelector("[data-as-chosen]");
    if (again) again.hidden = !chosen.way && !chosen.chosen_at;
    return before;
  }

  // --- In this browser: a browser that keeps nothing, or is full, costs only this ---

  function readLocal() {
    try { return JSON.parse(localStorage.getItem(here)); } catch { return null; }
  }
  function writeLocal() {
    try { localStorage.setItem(here, JSON.stringify({ ...snapshot(), form: me, turn, version: field("draft_version").value, at: Date.now() })); } catch { /* as above */ }
  }
  function dropLocal() {
    try { localStorage.removeItem(here); } catch { /* as above */ }
  }

  // --- Saving ---

  function say(name, words_ = "", at = "") {
    held = name;
    const template = name && form.querySelector(`template[data-draft-says="${name}"]`);
    told.replaceChildren();
    if (!template) return;
    const line = document.importNode(template.content, true), span = line.querySelector("span");
    span.textContent = words_ || span.textContent.replace("%(time)s", () => at);
    told.append(line);
  }

  function shows(sentence) {
    if (words.textContent !== sentence) words.textContent = sentence;
    discard.hidden = !sentence;
  }

  function plan() {
    clearTimeout(timer);
    timer = null;
    if (leaving) return;
    if (!unsaved()) { dropLocal(); since = 0; return; }
    writeLocal();
    if (held === "newer" || held === "local") return;   // asked already: nothing is overwritten meanwhile
    const now = Date.now();
    since ||= now;
    timer = setTimeout(save, Math.max(0, Math.min(PAUSE, since + AT_MOST - now)));
  }

  function body(extra = {}) {
    const sent = snapshot(), data = new URLSearchParams();
    ["text", "note", "cc", "kind"].forEach((name) => data.set(name, sent[name]));
    ["csrf_token", "post_key", "draft_version", "employee"].forEach((name) => data.set(name, field(name).value));
    ["way", "chosen_at"].forEach((name) => data.set(name, field(name).value));
    data.set("predefined", field("predefined")?.value ?? "");
    if (sent.quotes) data.set("quotes", "yes");
    sent.kept.forEach((one) => data.append("kept_file", one));
    data.set("draft_turn", String(++turn));
    if (after) data.set("draft_after", after);
    Object.entries(extra).forEach(([name, value]) => data.set(name, value));
    return [sent, data];
  }

  async function ask(data, more = {}) {
    const answer = await fetch(address, { method: "POST", body: data, headers: { Accept: "application/json" }, credentials: "same-origin", redirect: "manual", ...more });
    const json = (answer.headers.get("Content-Type") ?? "").startsWith("application/json") ? await answer.json() : null;
    if (json?.token) renew(json.token);
    return [answer, json];
  }

  // A page that stands open for hours, and one whose employee has signed in anew, gets the token that counts now.
  function renew(token) {
    document.querySelectorAll('input[name="csrf_token"]').forEach((one) => (one.value = token));
  }

  function save(extra = {}) {
    clearTimeout(timer);
    timer = null;
    if (leaving) return saving;
    saving = Promise.resolve(saving).then(() => saveNow(extra));
    return saving;
  }

  async function saveNow(extra) {
    if (leaving || (!unsaved() && !extra.draft)) return;
    since = 0;
    try {
      let [sent, data] = body(extra), [answer, json] = await ask(data);
      if (answer.status === 400 && json?.token) { [sent, data] = body(extra); [answer, json] = await ask(data); }
      if (leaving) return;
      if (answer.type === "opaqueredirect" || !json || [401, 403].includes(answer.status)) {
        // A failure of the server's is none of the sign-in.
        if (answer.status >= 500 || [400, 411, 413, 429].includes(answer.status)) throw new Error(String(answer.status));
        signedOut();
      } else if (answer.status === 409) {
        newest = json.version;
        say("newer", "", json.at);
      } else if (json.said !== undefined && answer.status === 404) {
        say("refused", json.said);
      } else if (answer.ok) {
        field("draft_version").value = json.version ?? 0;
        saved = sent;
        after = "";
        shows(json.said);
        if (held !== "discarded" || !empty(sent)) say("");
        if (unsaved()) plan(); else dropLocal();
      } else throw new Error(String(answer.status));
    } catch {
      writeLocal();
      say("failed");
      timer = setTimeout(save, AGAIN);
    }
  }

  function signedOut() {
    if (unsaved()) writeLocal();
    if (held !== "signed-out") say("signed-out");
  }

  // Told by presence.js too, which asks more often than anybody types.
  form.addEventListener("cs-signed-out", signedOut);
  form.addEventListener("cs-signed-in", () => { if (held !== "signed-out") return; say(""); if (unsaved()) save(); });

  ["input", "change"].forEach((kind) => form.addEventListener(kind, (event) => { if (event.target.name !== "file") plan(); }));
  form.addEventListener("focusout", () => { if (timer) save(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { if (timer) save(); } else if (["signed-out", "failed"].includes(held)) save();
  });
  addEventListener("online", () => { if (held === "failed") save(); });
  addEventListener("focus", () => { if (held === "signed-out" && unsaved()) save(); });

  // Whoever leaves the page in the middle of a word: the browser still sends this much, and keeps what it cannot.
  addEventListener("pagehide", () => {
    if (leaving || !unsaved()) return;
    writeLocal();
    if (held === "newer" || held === "local") return;
    const [, data] = body();
    fetch(address, { method: "POST", body: data, headers: { Accept: "application/json" }, credentials: "same-origin", redirect: "manual", keepalive: true }).catch(() => {});
  });
  addEventListener("pageshow", () => { leaving = false; plan(); });

  // What is sent is no draft any more; until the server has it, this browser does.
  form.addEventListener("submit", (event) => setTimeout(() => {
    if (event.defaultPrevented) return;
    leaving = true;
    clearTimeout(timer);
    if (!empty(snapshot())) writeLocal();
  }));

  discard.addEventListener("click", async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    await saving;
    undo = snapshot();
    try {
      const extra = { draft: "discard" };
      let [answer, json] = await ask(body(extra)[1]);
      if (answer.status === 400 && json?.token) [answer, json] = await ask(body(extra)[1]);
      if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) { signedOut(); return; }
      if (!answer.ok || !json) throw new Error(String(answer.status));
    } catch { say("failed"); return; }
    field("draft_version").value = 0;
    const kept = [...form.querySelectorAll("[name=kept_file]:checked")];
    kept.forEach((box) => (box.checked = false));
    put({ text: "", note: "", cc: "", kind: undo.kind });
    undo.boxes = kept;
    undo.chosen = chooses({ way: "", chosen_at: "" });
    saved = snapshot();
    dropLocal();
    shows("");
    say("discarded");
    told.querySelector("button")?.focus();
  });

  told.addEventListener("click", (event) => {
    const button = event.target.closest("a, button");
    if (!button) return;
    const { draftTake, draftOverwrite, draftLocal, draftForget, draftRetry, draftUndo } = button.dataset;
    if (draftTake !== undefined) { leaving = true; clearTimeout(timer); dropLocal(); return; }
    if ([draftOverwrite, draftLocal, draftForget, draftRetry, draftUndo].every((one) => one === undefined)) return;
    event.preventDefault();
    if (draftForget !== undefined) { dropLocal(); say(""); text.focus(); return; }
    if (draftLocal !== undefined) { const local = readLocal(); say(""); if (local) put(local); save(); }
    if (draftOverwrite !== undefined) { if (newest) field("draft_version").value = newest; say(""); save({ draft: "overwrite" }); }
    if (draftRetry !== undefined) save();
    if (draftUndo !== undefined && undo) { undo.boxes.forEach((box) => (box.checked = true)); chooses(undo.chosen); say(""); put(undo); save(); }
    text.focus();
  });

  // The page was left while a save of its own was on its way, whose answer it did not see: what it kept here is what was typed after that.
  const goesOn = (local) => local.form === place.dataset.by && local.turn >= Number(place.dataset.turn);

  begin();

  // What this browser kept because the server could not: it goes back into the box, unless something newer stands there.
  function begin() {
    const local = readLocal(), sent = place.dataset.sent.split(" ");
    if (place.dataset.newer !== undefined) held = "newer";
    if (place.dataset.unkept !== undefined) saved = { text: "", note: "", cc: "", kind: "reply", kept: [] };
    const now = snapshot();
    if (!local || same(local, now) || empty(local) || sent.includes(local.form) || Date.now() - local.at > LOCAL_LASTS) dropLocal();
    else if (held) return;
    else if (empty(now) || local.version === field("draft_version").value || goesOn(local)) { after = local.form; put(local); save(); return; }
    else { say("local"); return; }
    plan();
  }
})();

// Files of an answer: chosen, dropped or pasted, they stand as chips that can be taken away again; what is too large is told before it is sent.
// Each goes to the server as it is chosen, and the draft names it; one that cannot stays here, and goes with the form.
// It also says who gets copies while they are typed. Without it the plain file field does the same when the form is sent.
(() => {
  "use strict";

  const answer = document.getElementById("cs-answer");
  if (!answer) return;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  files();
  copies();

  function files() {
    const input = document.getElementById("cs-file"), shelf = answer.querySelector("[data-files]"), box = answer.querySelector(".cs-answer-box");
    if (!input) return;
    answer.classList.add("cs-has-script");
    // As `i18n.file_size` writes it, in the language of the page.
    const language = answer.closest("[lang]")?.lang || undefined;
    const write = (count, unit, digits) =>
      new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits, numberingSystem: "latn" }).format(count);
    const size = (bytes) => (bytes < 1e6 ? write(Math.max(1, Math.round(bytes / 1e3)), "kilobyte", 0) : write(bytes / 1e6, "megabyte", 1));
    // Those that the server has are named by a box in the form; it is no longer ticked where the draft was discarded.
    let chosen = [], pasted = 0, sending = Promise.resolve(), leaving = false;
    const boxes = new Map(), here = (file) => !boxes.has(file) || boxes.get(file).checked;
    const add = (some) => { chosen = [...chosen, ...some]; keep(); sendRest(); };
    const sendRest = () => chosen.forEach((file) => { if (!boxes.has(file)) sending = sending.then(() => send(file)); });
    const keep = () => {
      const basket = new DataTransfer();
      chosen.filter((file) => !boxes.has(file)).forEach((file) => basket.items.add(file));
      input.files = basket.files;
      draw();
      const fault = wrong();
      if (fault) tell(fault, input); else untell(input);
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
        away.addEventListener("click", () => { chosen.splice(place, 1); keep(); input.focus(); told(); sendRest(); });
        chip.append(name, weight, away);
        if (boxes.has(file)) chip.append(boxes.get(file));
        shelf.append(chip);
      });
      input.setCustomValidity(wrong());
    };
    const told = () => answer.dispatchEvent(new Event("change"));
    const send = async (file) => {
      const place = answer.querySelector("[data-draft-files]");
      if (!place || leaving || boxes.has(file) || !chosen.includes(file) || wrong()) return;
      const once = async () => {
        const data = new FormData();
        ["csrf_token", "post_key", "employee"].forEach((name) => data.set(name, answer.elements.namedItem(name).value));
        all("[name=kept_file]:checked", shelf).forEach((box) => data.append("kept_file", box.value));
        data.set("file", file);
        const got = await fetch(place.dataset.draftFiles, { method: "POST", body: data, headers: { Accept: "application/json" }, credentials: "same-origin", redirect: "manual" });
        const json = (got.headers.get("Content-Type") ?? "").startsWith("application/json") ? await got.json() : null;
        if (json?.token) document.querySelectorAll('input[name="csrf_token"]').forEach((one) => (one.value = json.token));
        return [got, json];
      };
      try {
        let [got, json] = await once();
        if (got.status === 400 && json?.token) [got, json] = await once();
        // What is wrong with it the server says again when the form is sent.
        if (!got.ok || !json?.kept?.length || !chosen.includes(file)) return;
        const box = document.createElement("input");
        Object.assign(box, { type: "checkbox", name: "kept_file", value: json.kept[0].reference, checked: true, hidden: true });
        boxes.set(file, box);
        keep();
        told();
      } catch { /* it stays here, and goes with the form */ }
    };
    const wrong = () => {
      const { most, each, together, tooLarge, tooMany } = answer.dataset;
      const some = chosen.filter(here), kept = all("label [name=kept_file]:checked", shelf).length;
      if (some.length + kept > Number(most)) return tooMany;
      const large = some.find((file) => file.size > Number(each));
      if (large) return `${large.name}: ${tooLarge}`;
      return some.reduce((sum, file) => sum + file.size, 0) > Number(together) ? tooLarge : "";
    };
    input.addEventListener("change", () => add([...input.files]));
    answer.addEventListener("submit", (event) => {
      input.setCustomValidity(wrong());
      // What is on its way now goes with the form.
      if (input.checkValidity()) { setTimeout(() => { leaving = !event.defaultPrevented; }); return; }
      event.preventDefault();
      event.stopImmediatePropagation();
      tell(input.validationMessage, input);
      input.focus();
    });
    input.addEventListener("invalid", (event) => event.preventDefault());
    addEventListener("pageshow", () => { leaving = false; if (input.files.length && !chosen.length) { chosen = [...input.files]; draw(); } });

    // What is pasted as text stays text, though a picture of it comes along.
    answer.addEventListener("paste", (event) => {
      const some = [...(event.clipboardData?.files ?? [])];
      if (!some.length || event.clipboardData.types.includes("text/plain")) return;
      event.preventDefault();
      // Every picture of a clipboard has the same name.
      add(some.map((file) => new File([file], file.name.replace(/(?=\.[^.]*$)|$/, () => `-${++pasted}`), { type: file.type })));
    });

    const brings = (event) => event.dataTransfer?.types.includes("Files");
    let inside = 0;
    const show = () => box.classList.toggle("cs-is-dropping", inside > 0);
    box.addEventListener("dragenter", (event) => { if (brings(event)) { inside += 1; show(); } });
    box.addEventListener("dragleave", (event) => { if (brings(event)) { inside = Math.max(0, inside - 1); show(); } });
    // A file that misses the box would be opened by the browser, in place of what is being written.
    document.addEventListener("dragover", (event) => { if (brings(event)) event.preventDefault(); });
    document.addEventListener("drop", (event) => {
      if (!brings(event)) return;
      event.preventDefault();
      inside = 0;
      show();
      if (box.contains(event.target)) add([...event.dataTransfer.files]);
    });
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
  }

  function untell(field) {
    document.getElementById("cs-file-error")?.remove();
    field.removeAttribute("aria-describedby");
  }

  // Who gets a copy stands beside the button while it is typed.
  function copies() {
    const field = document.getElementById("cs-cc"), said = answer.querySelector("[data-goes-copies]");
    if (!field || !said) return;
    field.addEventListener("input", () => {
      const addresses = field.value.split(/[,;]/).map((one) => one.trim()).filter(Boolean).join(", ");
      said.textContent = addresses ? ` · ${said.dataset.words.replace("%(addresses)s", () => addresses)}` : "";
    });
  }
})();

// What the forms of contacts and predefined messages gain from a script. Without one the languages unfold by their names, and only shops are checked.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  all("[data-tabs]").forEach(tabs);
  all("[data-group]").forEach(group);

  // The languages become tabs: one stop of the Tab key, arrows go round, Home and End to the ends.
  function tabs(place) {
    const sections = all("[data-tab]", place);
    if (sections.length < 2) return;
    // Whoever is quicker than this script goes on typing where they are.
    const active = place.contains(document.activeElement) ? document.activeElement : null;
    const list = document.createElement("div");
    list.className = "cs-tabs";
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", place.getAttribute("aria-label"));
    place.removeAttribute("aria-label");
    const made = sections.map((section, number) => {
      const tab = document.createElement("button"), panel = document.createElement("div");
      tab.type = "button";
      tab.id = `cs-tab-${number}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", `cs-panel-${number}`);
      section.querySelector("summary > svg").remove();
      tab.append(...section.querySelector("summary").childNodes);
      panel.id = `cs-panel-${number}`;
      panel.className = "cs-tab-panel";
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      section.querySelector("summary").remove();
      panel.append(...section.childNodes);
      section.replaceWith(panel);
      emptiness(tab, panel, section.dataset.needs.split(" "));
      list.append(tab);
      return { tab, panel };
    });
    place.prepend(list);

    const choose = (chosen) => made.forEach(({ tab, panel }) => {
      const is = tab === chosen;
      tab.setAttribute("aria-selected", is);
      tab.tabIndex = is ? 0 : -1;
      panel.hidden = !is;
    });
    list.addEventListener("click", (event) => { const tab = event.target.closest("[role=tab]"); if (tab) choose(tab); });
    list.addEventListener("keydown", (event) => {
      const at = made.findIndex(({ tab }) => tab === event.target), forth = getComputedStyle(list).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
      const back = forth === "ArrowRight" ? "ArrowLeft" : "ArrowRight", last = made.length - 1;
      const to = { [forth]: at === last ? 0 : at + 1, [back]: at ? at - 1 : last, Home: 0, End: last }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      choose(made[to].tab);
      made[to].tab.focus();
    });
    choose((made.find(({ tab, panel }) => tab.querySelector(".cs-is-wrong") || panel.contains(active)) ?? made[0]).tab);
    active?.focus();

    // A link to a field, from what is wrong at the top, opens the language in which it stands.
    document.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#cs-"]'), field = link && document.getElementById(link.hash.slice(1));
      if (!field) return;
      event.preventDefault();
      const one = made.find(({ panel }) => panel.contains(field));
      if (one) choose(one.tab);
      field.focus();
    });
  }

  // The mark "empty" follows what is typed.
  function emptiness(tab, panel, names) {
    const mark = tab.querySelector("[data-empty]");
    const fields = names.map((name) => panel.querySelector(`[name="${CSS.escape(name)}"]`));
    if (mark) panel.addEventListener("input", () => (mark.hidden = fields.every((field) => field.value.trim())));
  }

  // The box of a group checks its shops, and shows what they are: all, some, none.
  function group(place) {
    const whole = place.querySelector("[data-group-box]"), shops = all("[name=shops]", place);
    const show = () => {
      const checked = shops.filter((shop) => shop.checked).length;
      whole.checked = checked === shops.length;
      whole.indeterminate = checked > 0 && checked < shops.length;
    };
    whole.hidden = false;
    whole.disabled = shops.every((shop) => shop.disabled);
    whole.addEventListener("change", () => { shops.forEach((shop) => (shop.checked = whole.checked)); show(); });
    shops.forEach((shop) => shop.addEventListener("change", show));
    addEventListener("pageshow", show);
    show();
  }

  // Whoever has to mend something is led there.
  document.querySelector("[data-wrong]")?.focus();
})();

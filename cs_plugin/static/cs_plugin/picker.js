// The picker of shops: a search field that narrows it, and arrow keys through what is left. Without scripts it is a menu of links.
(() => {
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

  document.querySelectorAll("details[data-picker]").forEach((menu) => {
    const summary = menu.querySelector("summary"), none = menu.querySelector("[data-picker-none]");
    const search = menu.querySelector("[data-picker-search]"), field = search?.querySelector("input");
    const groups = [...menu.querySelectorAll("[data-picker-group]")].map((group) => ({
      group, name: fold(group.querySelector(".cs-menu-group")?.textContent ?? ""), links: [...group.querySelectorAll("a:not(.cs-menu-group)")].map((link) => [link, fold(link.textContent)]),
    }));
    const shown = () => [...menu.querySelectorAll("a[data-context]")].filter((link) => !link.closest("[hidden]"));

    // A group whose own name is meant stays with all of its shops.
    function narrow() {
      const wanted = fold(field.value.trim());
      let found = 0;
      groups.forEach(({ group, name, links }) => {
        const whole = name.includes(wanted);
        links.forEach(([link, words]) => (link.hidden = !whole && !words.includes(wanted)));
        group.hidden = links.every(([link]) => link.hidden);
        found += group.hidden ? 0 : 1;
      });
      none.textContent = found ? "" : none.dataset.pickerNone;
    }

    function go(link) {
      link?.focus();
      link?.scrollIntoView({ block: "nearest" });
    }

    if (field) {
      search.hidden = false;
      field.addEventListener("input", narrow);
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();   // the field may stand in a form of the page
        if (field.value.trim()) shown().find((link) => !link.matches("[data-context=all], .cs-menu-group"))?.click();
      });
    }

    // The browser tells a moment later that the menu was opened: what was typed until then stays, and is cleared once it is closed.
    menu.addEventListener("toggle", () => {
      if (field && !menu.open) field.value = "";
      if (field) narrow();
      if (!menu.open) return;
      if (field) {
        // On a phone the keyboard would cover what is to be chosen from.
        if (matchMedia("(pointer: fine)").matches) field.focus();
      }
      const list = menu.querySelector(".cs-context-list"), present = list.querySelector("[aria-current]");
      if (present) list.scrollTop = Math.max(0, present.offsetTop - list.offsetTop - list.clientHeight / 2);
    });

    menu.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const links = shown(), at = links.indexOf(document.activeElement), typing = document.activeElement === field;
      const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? links.length - 1 : at - 1, Home: 0, End: links.length - 1 }[event.key];
      if (to !== undefined && !(typing && ["Home", "End"].includes(event.key))) {
        event.preventDefault();
        menu.open = true;
        if (to < 0 && field) field.focus();
        else go(links[(to + links.length) % links.length]);
      } else if (menu.open && !typing && event.key.length === 1 && event.key !== " ") {
        // Whoever types looks for a name: in the field where there is one, else by its first letter, from where they are on.
        if (field) field.focus();
        else go([...links.slice(at + 1), ...links].find((link) => fold(link.textContent.trim()).startsWith(fold(event.key))));
      }
    });
    // Tabbing out of the menu closes it.
    menu.addEventListener("focusout", (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
    summary.setAttribute("aria-expanded", menu.open);
    menu.addEventListener("toggle", () => summary.setAttribute("aria-expanded", menu.open));
  });
})();

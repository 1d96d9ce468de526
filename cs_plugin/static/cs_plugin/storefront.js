// The storefront's script: it tells of a file that would be refused before it is sent, and shows hours in the visitor's own time zone.
// Everything works without it.
(() => {
  "use strict";

  const extension = (name) => (name.includes(".") ? name.slice(name.lastIndexOf(".") + 1).toLowerCase() : "");

  const wrongWith = (input) => {
    const most = Number(input.dataset.csMost), each = Number(input.dataset.csEach), together = Number(input.dataset.csTogether);
    const types = new Set(input.dataset.csTypes.split(" "));
    const files = [...input.files];
    const kept = input.form ? input.form.querySelectorAll("input[name=kept_file]:checked").length : 0;
    const wrong = [];
    for (const file of files) {
      if (!types.has(extension(file.name))) wrong.push([file.name, input.dataset.csBadType]);
      else if (file.size > each) wrong.push([file.name, input.dataset.csTooLarge]);
    }
    if (files.length + kept > most) wrong.push(["", input.dataset.csTooMany]);
    if (!wrong.length && files.reduce((sum, file) => sum + file.size, 0) > together) wrong.push(["", input.dataset.csTooLarge]);
    return wrong;
  };

  const show = (input, wrong) => {
    const place = document.getElementById(`${input.id}-error`);
    place.replaceChildren(...wrong.map(([name, sentence]) => {
      const line = document.createElement("p"), text = document.createElement("span");
      line.className = "cs-error";
      if (name) {
        const whose = document.createElement("bdi");
        whose.textContent = name;
        text.append(whose, ": ");
      }
      text.append(sentence);
      line.append(text);
      return line;
    }));
    place.setAttribute("role", "alert");
    if (wrong.length) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", `${input.id}-error ${input.id}-hint`);
    } else {
      input.removeAttribute("aria-invalid");
    }
  };

  for (const input of document.querySelectorAll("input[data-cs-each]")) {
    input.addEventListener("change", () => show(input, wrongWith(input)));
    input.form.addEventListener("submit", (event) => {
      const wrong = wrongWith(input);
      if (!wrong.length) return;
      event.preventDefault();
      show(input, wrong);
      input.focus();
    });
  }

  for (const time of document.querySelectorAll("time[data-cs-moment]")) {
    const moment = new Date(time.dateTime);
    // Of the page's language in the visitor's own way: an English page says 24 hours to whoever reads British English.
    const page = time.closest("[lang]").lang;
    const language = navigator.languages.find((one) => one.split("-")[0] === page.split("-")[0]) ?? page;
    time.textContent = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }).format(moment);
  }
})();

// The query of the list in a dialog, copying, and Ctrl+Enter. Everything here has a page or a button behind it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // The query is made when it is asked for: the list does not wait for it.
  all("[data-shows-sql]").forEach((link) => link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const dialog = document.getElementById(link.dataset.showsSql);
    try {
      const response = await fetch(link.href);
      const page = new DOMParser().parseFromString(await response.text(), "text/html"), found = page.getElementById("cs-sql-text");
      // Led elsewhere: a view that is gone, which its list tells.
      if (!response.ok || response.redirected || !found) throw new Error(response.status);
      dialog.querySelector(".cs-sql-text > code").textContent = found.textContent.trim();
      // Whether the manager can be used is only known now.
      dialog.querySelector(".cs-sql-way").replaceWith(page.querySelector(".cs-sql-way"));
      dialog.querySelector("[data-copied-now]").textContent = "";
    } catch {
      location.href = link.href;
      return;
    }
    link.closest("details").open = false;
    dialog.showModal();
  }));

  all("[data-copies]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copies), say = button.parentElement.querySelector("[data-copied-now]");
      try {
        await navigator.clipboard.writeText(text.textContent.trim());
        say.textContent = button.dataset.copied;
      } catch {
        // Without https, or without leave, browsers let no script copy: what is selected is copied by hand.
        getSelection().selectAllChildren(text);
        say.textContent = button.dataset.selected;
      }
    });
  });

  all("textarea[data-runs]").forEach((field) => field.addEventListener("keydown", (event) => {
    const run = field.form.querySelector("[data-run]");
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || run.disabled) return;
    event.preventDefault();
    field.form.requestSubmit(run);
  }));
})();

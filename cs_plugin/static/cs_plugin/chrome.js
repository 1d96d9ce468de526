// Opens the menus of Flask-Admin's own navigation bar (Bootstrap 4 markup) on the desk's pages, which load neither jQuery nor Bootstrap's scripts.
// Where the host's layout brings Bootstrap's scripts itself, it leaves the bar to them.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Flask-Admin's page does not say its language; screen readers need one.
  const desk = document.querySelector(".cs-desk");
  if (desk && !document.documentElement.lang) document.documentElement.lang = desk.lang;
  if (desk && !document.querySelector("main, [role=main]")) desk.setAttribute("role", "main");
  if (window.bootstrap || window.jQuery?.fn?.dropdown) return;

  const menus = all('[data-toggle="dropdown"]');
  function show(toggle, open) {
    toggle.parentElement.classList.toggle("show", open);
    toggle.parentElement.querySelector(".dropdown-menu")?.classList.toggle("show", open);
    toggle.setAttribute("aria-expanded", open);
  }
  const closeBut = (kept) => menus.forEach((menu) => menu === kept || menu.parentElement.contains(kept) || show(menu, false));
  menus.forEach((menu) => { menu.setAttribute("aria-haspopup", "true"); menu.setAttribute("aria-expanded", "false"); });

  document.addEventListener("click", (event) => {
    const toggle = event.target.closest('[data-toggle="dropdown"]');
    closeBut(toggle);
    if (toggle) {
      event.preventDefault();   // its address is a "javascript:" one, which a strict Content-Security-Policy reports
      show(toggle, toggle.getAttribute("aria-expanded") !== "true");
    }
    const folder = event.target.closest('[data-toggle="collapse"]');
    const folded = folder && document.querySelector(folder.dataset.target || folder.getAttribute("href"));
    if (folded) {
      event.preventDefault();
      folder.setAttribute("aria-expanded", folded.classList.toggle("show"));
    }
    event.target.closest('[data-dismiss="alert"]')?.closest(".alert")?.remove();
  });
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && menus.find((menu) => menu.getAttribute("aria-expanded") === "true");
    if (open) { show(open, false); open.focus(); }
  });
})();

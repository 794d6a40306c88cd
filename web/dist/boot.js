// What is seen before the app itself runs: the colours and the language that were
// chosen, and the first screen, which the build has drawn in both languages.
"use strict";
(() => {
  const kept = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // a browser that keeps nothing for us
    }
  };
  const page = document.documentElement;
  const theme = kept("videomsg.theme");
  if (theme === "light" || theme === "dark") page.dataset.theme = theme;
  page.lang = kept("videomsg.lang") === "en" ? "en" : "ja";
  if (location.pathname !== "/" || location.search) return;
  document.getElementById("root").append(document.getElementById(`first-${page.lang}`).content.cloneNode(true));
})();

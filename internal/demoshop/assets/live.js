// Fetches the live part of the page every two seconds while it is visible, and swaps it only when it has changed.
// What is open stays open, and the keyboard's place is kept.
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live || !live.dataset.source) return;
  let last = null;

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(live.dataset.source, { cache: "no-store" });
      if (!answer.ok) return;
      const html = await answer.text();
      if (html === last) return;
      if (last !== null) swap(html);
      else if (normal(html) !== normal(live.innerHTML)) swap(html);
      last = html;
    } catch {
      // The shop is away for a moment; the next round tries again.
    }
  }

  function normal(html) {
    const box = document.createElement("template");
    box.innerHTML = html;
    return box.innerHTML.trim();
  }

  function swap(html) {
    const open = new Set([...live.querySelectorAll("details[open]")].map((d) => d.id));
    const focused = document.activeElement?.closest?.("#live a")?.getAttribute("href");
    live.innerHTML = html;
    for (const d of live.querySelectorAll("details")) d.open = open.has(d.id);
    if (focused) [...live.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
  }

  setInterval(refresh, 2000);
  document.addEventListener("visibilitychange", refresh);
  refresh();
})();

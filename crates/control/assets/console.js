// Puts a fresh picture in place every two seconds, unless nobody looks or somebody selects text.
"use strict";
(() => {
  const EVERY = 2000;
  const live = document.getElementById("live");
  const state = document.getElementById("state");
  const pause = document.getElementById("pause");
  let paused = false;
  let failed = 0;

  const say = (text, tone) => {
    state.textContent = text;
    state.className = "state " + tone;
  };

  // A selection would vanish with the text it is in.
  const selecting = () => {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && live.contains(selection.anchorNode);
  };

  const replace = (html) => {
    const known = new Set(Array.from(live.querySelectorAll("tr[id]"), (row) => row.id));
    const focus = live.contains(document.activeElement) && document.activeElement.getAttribute("href");
    const fresh = new DOMParser().parseFromString(html, "text/html");
    live.replaceChildren(...fresh.body.childNodes);
    if (known.size > 0) {
      for (const row of live.querySelectorAll("tr[id]")) {
        if (!known.has(row.id)) row.classList.add("new");
      }
    }
    if (focus) live.querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  };

  const refresh = async () => {
    if (paused || document.hidden || selecting()) return;
    try {
      const reply = await fetch("/fragment" + location.search, { redirect: "error", signal: AbortSignal.timeout(8000) });
      if (reply.status === 401) return location.reload();
      if (!reply.ok) throw new Error(reply.statusText);
      const html = await reply.text();
      if (paused || selecting()) return;
      replace(html);
      failed = 0;
      say("live", "ok");
    } catch {
      failed += 1;
      if (failed > 1) say("not reachable, trying again", "bad");
    }
  };

  const loop = async () => {
    await refresh();
    setTimeout(loop, EVERY);
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    say(paused ? "paused" : "live", paused ? "mute" : "ok");
    if (!paused) refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  say("live", "ok");
  setTimeout(loop, EVERY);
})();

// Keeps a page live: told by its stream that something changed, it reads itself anew and takes over what is in #live.
// Without it everything can be read and done; only the page does not change by itself.
(() => {
  "use strict";
  const SETTLE = 1000;
  const AGAIN = 15000;
  const status = document.getElementById("status");
  let stream = null;
  let last = 0;
  let waiting = null;

  const live = () => document.getElementById("live");

  const say = (text) => {
    if (status && status.textContent !== text) status.textContent = text;
  };

  const swap = (fresh) => {
    const old = live();
    const ticked = new Set([...old.querySelectorAll("input:checked")].map((box) => box.id));
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceChildren(...fresh.childNodes);
    old.dataset.live = fresh.dataset.live;
    for (const box of old.querySelectorAll("input[type=checkbox]")) box.checked = ticked.has(box.id);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };

  const read = async () => {
    waiting = null;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { redirect: "error", cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const summary = page.getElementById("summary").textContent.trim();
      swap(page.getElementById("live"));
      document.title = page.title;
      say(`Live: ${summary}`);
    } catch {
      say("Not live: this may be out of date.");
      change(AGAIN);
    }
  };

  // However much changes, the page is not read more often than once in a while.
  const change = (pause) => {
    if (waiting === null) waiting = setTimeout(read, Math.max(0, last + pause - Date.now()));
  };

  const open = () => {
    stream = new EventSource(live().dataset.live);
    stream.onopen = () => say("Live");
    stream.addEventListener("changed", () => change(SETTLE));
    stream.addEventListener("back", () => change(SETTLE));
    stream.addEventListener("away", () => say("Not live: the data cannot be read at the moment."));
    stream.onerror = () => {
      say("Not live: this may be out of date.");
      // A browser comes back by itself, unless it was refused.
      if (stream !== null && stream.readyState === EventSource.CLOSED) setTimeout(reopen, AGAIN);
    };
  };

  const reopen = () => {
    close();
    if (!document.hidden) open();
  };

  const close = () => {
    if (stream !== null) stream.close();
    stream = null;
  };

  if (live()?.dataset.live && window.EventSource) {
    open();
    // A browser has few connections for one site: a page that nobody looks at needs none.
    document.addEventListener("visibilitychange", reopen);
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) reopen();
    });
  }

  const all = document.getElementById("all");
  if (all) {
    all.closest("[hidden]").hidden = false;
    all.addEventListener("change", () => {
      for (const box of live().querySelectorAll("input[type=checkbox]")) box.checked = all.checked;
    });
  }
})();

"use strict";
// Puts in what the server has rendered anew. A page without this is complete.
(() => {
  const line = document.getElementById("live");
  const announce = document.getElementById("announce");
  const parts = document.querySelectorAll("[data-live]");
  const waiting = new Map(); // what came for a part in which text is selected
  const silence = 5000; // something comes each second
  const pause = 10000;
  let source = null, watchdog = 0, retry = 0;

  const stateOf = () => document.querySelector("#health [data-state]").dataset;
  let last = stateOf().state;

  function say(text, live) {
    line.textContent = text;
    line.parentElement.className = "live " + (live ? "on" : "off");
    document.body.classList.toggle("frozen", !live);
  }

  function selecting(part) {
    const selection = getSelection();
    return !selection.isCollapsed && (selection.containsNode(part, true) || part.contains(selection.anchorNode));
  }

  function put(part, html) {
    if (selecting(part)) {
      waiting.set(part, html);
      return;
    }
    waiting.delete(part);
    const open = [...part.querySelectorAll("details[open]")].map((d) => d.id);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const href = focused && focused.getAttribute("href");
    const summaryOf = focused && focused.parentElement.id;
    part.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (href) [...part.querySelectorAll("a")].find((a) => a.getAttribute("href") === href)?.focus({ preventScroll: true });
    else if (summaryOf) part.querySelector("#" + CSS.escape(summaryOf) + " > summary")?.focus({ preventScroll: true });
    if (part.id !== "health") return;
    const now = stateOf();
    document.title = now.title;
    if (now.state !== last) announce.textContent = now.title;
    last = now.state;
  }

  function stop() {
    clearTimeout(watchdog);
    clearTimeout(retry);
    source?.close();
    source = null;
  }

  function lost() {
    stop();
    if (last === "closed") {
      say("The store is closed: no more updates.", false);
      return;
    }
    say("Not live: what is below is old. Trying again.", false);
    retry = setTimeout(start, pause * (0.5 + Math.random()));
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, silence);
    say("Live", true);
  }

  function start() {
    stop();
    const query = new URLSearchParams(location.search);
    query.set("format", "live");
    source = new EventSource("?" + query);
    watchdog = setTimeout(lost, silence);
    for (const part of parts) {
      source.addEventListener(part.id, (event) => {
        alive();
        put(part, event.data);
      });
    }
    // A source that was cut off comes again by itself, one that was refused does not.
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED || last === "closed") lost();
    };
  }

  document.addEventListener("selectionchange", () => {
    for (const [part, html] of waiting) put(part, html);
  });
  // A page that nobody sees takes no connection, of which browsers have six to a server.
  function visible() {
    line.textContent = "Connecting.";
    if (document.hidden) stop();
    else start();
  }
  document.addEventListener("visibilitychange", visible);
  addEventListener("pagehide", stop);
  addEventListener("pageshow", visible);
})();

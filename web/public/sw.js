// The offline shell: the page and its files come from the cache when there is no
// network. What the service says (/api, /health) is never kept.
"use strict";
const shell = "videomsg-shell";
const files = ["/", "/boot.js", "/hello.jpg", "/icon.svg", "/manifest.webmanifest"];

self.addEventListener("install", (e) => {
  e.waitUntil(caches.open(shell).then((c) => c.addAll(files)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (e) => {
  e.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== location.origin) return;
  if (e.request.mode === "navigate") return e.respondWith(page(e.request));
  // The name of a built file changes with its content, so the first copy is good.
  if (url.pathname.startsWith("/assets/")) return e.respondWith(asset(e.request));
  if (files.includes(url.pathname)) return e.respondWith(newest(e.request));
});

async function page(request) {
  const cache = await caches.open(shell);
  try {
    const answer = await fetch(request);
    if (answer.ok && answer.headers.get("Content-Type")?.startsWith("text/html") && new URL(request.url).pathname === "/") {
      await prune(cache, await answer.clone().text());
      await cache.put("/", answer.clone());
    }
    return answer;
  } catch {
    return (await cache.match("/")) ?? Response.error();
  }
}

// newest is a file as the service has it, or as it was when there is no network.
async function newest(request) {
  const cache = await caches.open(shell);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(request, answer.clone());
    return answer;
  } catch {
    return (await cache.match(request)) ?? Response.error();
  }
}

async function asset(request) {
  const cache = await caches.open(shell);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

// prune forgets everything when a new version of the app is served; what the new
// one needs comes back as it is asked for.
async function prune(cache, html) {
  const old = await (await cache.match("/"))?.text();
  if (!old || old === html) return;
  for (const k of await cache.keys()) if (new URL(k.url).pathname.startsWith("/assets/")) await cache.delete(k);
}

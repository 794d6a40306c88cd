import react from "@vitejs/plugin-react";
import { createServer, defineConfig, type Plugin } from "vite";

// The service that `vite` in development forwards to.
const service = "http://127.0.0.1:55433";

// firstScreen puts the first screen, drawn in both languages, into the page.
function firstScreen(): Plugin {
  return {
    name: "first-screen",
    apply: "build",
    async transformIndexHtml(html) {
      const server = await createServer({ configFile: false, plugins: [react()], server: { middlewareMode: true, ws: false }, appType: "custom", logLevel: "error", optimizeDeps: { noDiscovery: true } });
      try {
        const { draw } = (await server.ssrLoadModule("/src/first.tsx")) as typeof import("./src/first");
        const templates = (["ja", "en"] as const).map((lang) => `<template id="first-${lang}">${draw(lang)}</template>`);
        return html.replace("<!-- first screen -->", templates.join("\n    "));
      } finally {
        await server.close();
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), firstScreen()],
  build: {
    target: "es2022",
    // Everything is a file of its own: the content security policy allows no
    // inline script, and a cache can keep what its name's hash vouches for.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: { "/api": service, "/health": service, "/openapi.json": service },
  },
});

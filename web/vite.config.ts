import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The service that `vite` in development forwards to.
const service = "http://127.0.0.1:55433";

export default defineConfig({
  plugins: [react()],
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

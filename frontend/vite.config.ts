/** How the browser program is built, served while developing, and tested. */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const backend = process.env["EDGEWISE_BACKEND"] ?? "http://127.0.0.1:8000";

export default defineConfig(({ command }) => ({
  // Django serves the built files under /static/; the dev server stands at the root.
  base: command === "build" ? "/static/" : "/",
  plugins: [react()],
  build: {
    outDir: "dist",
    // Inlined data: URLs would need `font-src data:` and the like in the policy.
    assetsInlineLimit: 0,
    // Browsers that know light-dark(): older targets would have it rewritten into something weaker.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    sourcemap: false,
    chunkSizeWarningLimit: 900,
  },
  server: {
    port: Number(process.env["EDGEWISE_VITE_PORT"] ?? 5173),
    strictPort: true,
    proxy: {
      "/api": { target: backend, changeOrigin: false },
      "/ws": { target: backend, ws: true, changeOrigin: false },
    },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/ui/testing/setup.ts"],
    restoreMocks: true,
    // Two busy cores: a slow render is not a wrong one.
    testTimeout: 30_000,
  },
}));

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Adds a `.br` beside each text file, which the server sends to browsers that take it: phones load a third. */
function compressedCopies(): Plugin {
  return {
    name: 'compressed-copies',
    apply: 'build',
    // Of the written files: names of other files are put into them at the very end.
    writeBundle({ dir }, bundle) {
      if (dir === undefined) return;
      for (const name of Object.keys(bundle).filter((file) => /\.(?:css|js|html)$/.test(file))) {
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(readFileSync(join(dir, name))));
      }
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  // The page may lie behind a proxy at any path.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [compressedCopies()],
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npx vite page` while one works on it: the API comes from a server that runs already.
  server: { proxy: { '/v1': 'http://127.0.0.1:8080', '/page': 'http://127.0.0.1:8080' } },
});

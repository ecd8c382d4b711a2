import { brotliCompressSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Adds a `.br` beside each text file, which the server sends to browsers that take it: phones load a fifth. */
function compressedCopies(): Plugin {
  return {
    name: 'compressed-copies',
    apply: 'build',
    generateBundle(_options, bundle) {
      for (const output of Object.values(bundle)) {
        const source = output.type === 'chunk' ? output.code : output.source;
        if (!/\.(?:css|js|html)$/.test(output.fileName)) continue;
        this.emitFile({
          type: 'asset',
          fileName: `${output.fileName}.br`,
          source: brotliCompressSync(Buffer.from(source)),
        });
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

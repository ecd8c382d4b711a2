// Prints the path of the default model, fetching it first where it is not in the cache.
import { argv, exit, stderr } from 'node:process';
import { pathToFileURL } from 'node:url';

const { resolveDefaultModel } = await import(new URL('../dist/hub/index.js', import.meta.url).href).catch(
  (error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    stderr.write(`${error.message}\nCompile the library first: npm run compile:library\n`);
    exit(1);
  },
);

function showProgress({ file, downloadedBytes, totalBytes }) {
  const percent = Math.floor((100 * downloadedBytes) / totalBytes);
  stderr.write(`\r${file} ${percent} %${downloadedBytes === totalBytes ? '\n' : ''}`);
}

/** The path of the default model; progress goes to a terminal only. */
export async function fetchDefaultModel() {
  return resolveDefaultModel(stderr.isTTY ? { onProgress: showProgress } : {});
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  try {
    console.log(await fetchDefaultModel());
  } catch (error) {
    stderr.write(`${error.message}\n`);
    exit(1);
  }
}

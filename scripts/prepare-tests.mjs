// Runs before `npm test`: the library and the addon, the tools of llama.cpp that results are compared with, and the
// model that tests run on.
import { prepare, runSteps } from './prepare.mjs';

await runSteps(async () => {
  prepare({
    tools: [
      'llama-completion',
      'llama-embedding',
      'llama-gguf-split',
      'llama-quantize',
      'llama-imatrix',
      'llama-perplexity',
    ],
  });
  const { fetchDefaultModel } = await import('./default-model.mjs');
  process.stderr.write(`> model: ${await fetchDefaultModel()}\n`);
});

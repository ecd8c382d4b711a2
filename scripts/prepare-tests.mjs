// Runs before `npm test`: the library and the addon, the tools of llama.cpp that results are compared with, and the
// model that tests run on.
import { prepare, runSteps } from './prepare.mjs';

await runSteps(async () => {
  const tools = ['completion', 'embedding', 'gguf-split', 'imatrix', 'perplexity', 'quantize'];
  prepare({ tools: tools.map((tool) => `llama-${tool}`) });
  const { fetchDefaultModel } = await import('./default-model.mjs');
  process.stderr.write(`> model: ${await fetchDefaultModel()}\n`);
});

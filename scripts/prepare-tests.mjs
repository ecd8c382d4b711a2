// Runs before `npm test`: the library and the addon, the tool of llama.cpp that generation is compared with, and the
// model that tests run on.
import { prepare, runSteps } from './prepare.mjs';

await runSteps(async () => {
  prepare({ tools: ['llama-completion'] });
  const { fetchDefaultModel } = await import('./default-model.mjs');
  process.stderr.write(`> model: ${await fetchDefaultModel()}\n`);
});

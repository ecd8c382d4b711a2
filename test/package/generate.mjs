// Runs inside the project that scripts/test-package.mjs makes, where the package is installed from its tarball:
// node generate.mjs <model>. Prints what happened as one line of JSON.
import { getSystemInfo, loadModel } from 'llama-native';

const started = performance.now();
const model = await loadModel(process.argv[2]);
const loadMs = performance.now() - started;
const generation = model.generate('The capital of France is', { maxTokens: 32, temperature: 0 });
let text = '';
let firstTextMs;
for await (const chunk of generation) {
  firstTextMs ??= performance.now() - started - loadMs;
  text += chunk.text;
}
const { usage, finishReason } = await generation.result;
const generateMs = performance.now() - started - loadMs;
const system = await getSystemInfo();
await model.close();
console.log(JSON.stringify({ text, usage, finishReason, loadMs, firstTextMs, generateMs, ...system }));

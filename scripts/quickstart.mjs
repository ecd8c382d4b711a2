// The first minutes with llama-native, in one command on a fresh clone: install, build, fetch a small model, and
// stream an answer with its speed. `npm run quickstart -- "another question"` asks something else.
import { join } from 'node:path';
import { argv } from 'node:process';
import { runProgram } from './commands.mjs';
import { prepare, root, runSteps } from './prepare.mjs';

const question = argv.slice(2).join(' ') || 'Explain in two sentences why the sky is blue.';

await runSteps(async () => {
  prepare();
  const { fetchDefaultModel } = await import('./default-model.mjs');
  const model = await fetchDefaultModel();
  process.stderr.write(`\n> ${question}\n\n`);
  const program = join(root, 'dist', 'cli', 'index.js');
  const options = [
    '--model',
    model,
    '--verbose',
    '--max-tokens',
    '120',
    '--temperature',
    '0.3',
    '--seed',
    '1',
  ];
  runProgram(process.execPath, [program, 'run', ...options, question], { cwd: root, inherit: true });
  process.stderr.write('\nTo talk to it: npx llama-native chat\n');
});

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** How a program ended, and what it wrote. */
export interface ProgramResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a small ES module in a Node.js process of its own. It may import the compiled library as `llama-native`.
 * @param source the module's text; `MODEL` in its environment is the path given.
 * @param launcher words of a command that starts the program whose words follow.
 */
export async function runProgram(
  source: string,
  model: string,
  nodeArguments: readonly string[] = [],
  launcher: readonly string[] = [],
): Promise<ProgramResult> {
  // Inside the package, so that the package's own name resolves to it.
  const directory = await mkdtemp(join(root, 'dist', 'program-'));
  const file = join(directory, 'program.mjs');
  await writeFile(file, source);
  try {
    return await new Promise((resolve, reject) => {
      const [command = '', ...words] = [...launcher, process.execPath, ...nodeArguments, file];
      const child = spawn(command, words, {
        cwd: directory, // what it writes goes with it
        env: { ...process.env, MODEL: model, NODE_OPTIONS: '' },
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (data) => {
        stdout += data;
      });
      child.stderr.on('data', (data) => {
        stderr += data;
      });
      child.on('error', reject);
      child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

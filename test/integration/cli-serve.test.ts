import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runProcess } from '../helpers/cli-process.js';
import { testModelPath } from '../helpers/model.js';

const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));

interface Serving {
  readonly url: string;
  readonly notes: () => string;
  /** Sends a signal and resolves to the exit code. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>;
}

/** Runs `serve` until it says where it listens. */
async function serve(more: readonly string[], environment: Record<string, string> = {}): Promise<Serving> {
  const programArguments = [program, 'serve', `smol=${await testModelPath()}`, '--port', '0', ...more];
  const child = spawn(process.execPath, programArguments, { env: { ...process.env, ...environment } });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let notes = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      notes += text;
      const [, found] = /listens on (\S+)/.exec(notes) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('close', () => reject(new Error(notes)));
  });
  child.stdout.resume();
  return {
    url,
    notes: () => notes,
    async end(signal) {
      child.kill(signal);
      const [exitCode] = await once(child, 'close');
      return exitCode;
    },
  };
}

describe('serve', () => {
  it('serves a model under the name it was given, and ends well when a service manager asks it to', async () => {
    const { url, notes, end } = await serve([]);
    const response = await fetch(`${url}/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'The capital of France is', max_tokens: 3, temperature: 0 }),
    });
    expect(await response.json()).toMatchObject({ model: 'smol', tokens_generated: 3 });
    expect(notes()).toContain('smol is ready');
    expect(await end('SIGTERM')).toBe(0);
  });

  it('takes keys from a file and from the environment', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'llama-native-serve-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'keys'), '# of the team\nkey-of-the-file\n');
    const { url, end } = await serve(['--api-key-file', join(folder, 'keys')], {
      LLAMA_NATIVE_API_KEY: 'key-of-the-environment',
    });
    const statuses: number[] = [];
    for (const key of ['key-of-the-file', 'key-of-the-environment', 'wrong-key']) {
      statuses.push((await fetch(`${url}/models`, { headers: { authorization: `Bearer ${key}` } })).status);
    }
    expect(statuses).toEqual([200, 200, 401]);
    expect(await end('SIGINT')).toBe(0);
  });

  it('does not listen where others reach it without a key', async () => {
    const { exitCode, notes } = await runProcess(['serve', 'model.gguf', '--host', '0.0.0.0']);
    expect(exitCode).toBe(2);
    expect(notes).toContain('--api-key');
  });

  it('refuses half of a certificate', async () => {
    const { exitCode, notes } = await runProcess(['serve', 'model.gguf', '--tls-key', 'key.pem']);
    expect(exitCode).toBe(2);
    expect(notes).toContain('belong together');
  });
});

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectPath } from './vendored.js';

/** What a program wrote. */
export interface ToolResult {
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Files are known by their content up to this size, beyond it by place, size and time. */
const hashedBytes = 256 * 1024 * 1024;
const digests = new Map<string, string>();

async function describe(argument: string): Promise<string> {
  const status = await stat(argument).catch(() => undefined);
  if (status === undefined || !status.isFile()) return argument;
  const identity = `${argument} ${status.size} ${status.mtimeMs}`;
  if (status.size > hashedBytes) return identity;
  const digest =
    digests.get(identity) ??
    createHash('sha256')
      .update(await readFile(argument))
      .digest('hex');
  digests.set(identity, digest);
  return digest;
}

/**
 * The result of a program that writes nothing but its output, remembered for later runs of the same program with the
 * same arguments and the same content of the files they name: the tests of isolated engines ask for what those in
 * process have asked for, which takes minutes.
 */
export async function remembered(
  program: string,
  programArguments: readonly string[],
  run: () => Promise<ToolResult>,
): Promise<ToolResult> {
  const known = await Promise.all([program, ...programArguments].map(describe));
  const key = createHash('sha256').update(JSON.stringify(known)).digest('hex');
  const directory = join(projectPath, '.cache', 'references');
  const path = join(directory, `${key}.json`);
  const stored = await readFile(path, 'utf8').catch(() => undefined);
  if (stored !== undefined) {
    const { stdout, stderr } = JSON.parse(stored) as { stdout: string; stderr: string };
    return { stdout: Buffer.from(stdout, 'base64'), stderr };
  }
  const result = await run();
  await mkdir(directory, { recursive: true });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, JSON.stringify({ ...result, stdout: result.stdout.toString('base64') }));
  await rename(temporary, path);
  return result;
}

// Our server as its users run it: `llama-native serve`, asked over HTTP.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { residentBytes, start } from './processes.mjs';

const program = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));

/** The processes that a process has started: the engines, for one. */
function childrenOf(processId) {
  const tasks = readFileSync(`/proc/${processId}/task/${processId}/children`, 'utf8');
  return tasks.trim().split(' ').filter(Boolean).map(Number);
}

/** Milliseconds of processor time that a process has used. */
function processorMs(processId) {
  const fields = readFileSync(`/proc/${processId}/stat`, 'utf8').split(') ')[1].split(' ');
  const ticksPerSecond = 100; // sysconf(_SC_CLK_TCK) of every Linux that Node.js runs on
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

/** Starts the server and waits until its model is loaded. */
export async function startOwnServer({ model, threads, sequences, contextSize, templateFile }) {
  const child = start(process.execPath, [
    ...[program, 'serve', `bench=${model}`, '--port', '0', '--threads', String(threads)],
    ...['--sequences', String(sequences), '--context-size', String(contextSize)],
    ...(templateFile === undefined ? [] : ['--chat-template-file', templateFile]),
    ...['--log-level', 'silent'],
  ]);
  let notes = '';
  const ended = new Promise((resolve) => child.once('close', resolve));
  const url = await new Promise((resolve, reject) => {
    child.stdout.resume();
    child.stderr.setEncoding('utf8').on('data', (text) => {
      notes += text;
      const [, address] = /listens on (\S+)/.exec(notes) ?? [];
      if (address !== undefined && notes.includes('is ready')) resolve(address);
      if (notes.includes('cannot be loaded')) reject(new Error(notes));
    });
    child.once('close', () => reject(new Error(`the server ended:\n${notes}`)));
  });
  return {
    url,
    residentBytes: () =>
      [child.pid, ...childrenOf(child.pid)].reduce((sum, id) => sum + residentBytes(id), 0),
    /** Of the server's process alone, without the engine. */
    processorMs: () => processorMs(child.pid),
    async stop() {
      child.kill();
      await ended;
    },
  };
}

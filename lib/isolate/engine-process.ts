/**
 * What the process of an isolated engine runs. It gets requests through its standard input and answers through a pipe of
 * its own; its standard error carries llama.cpp's log, which so outlives it. It loads nothing but the addon: it has to be
 * there in a moment.
 */
import { closeSync, writeFileSync, writevSync } from 'node:fs';
import { getAddon } from '../native/addon.js';
import { EngineServer } from './engine-server.js';
import { encodeMessage } from './message-codec.js';
import { MessageReader } from './message-reader.js';
import {
  answerDescriptor,
  type EngineReply,
  type EngineRequest,
  lifelineDescriptor,
  protocolVersion,
  toSentError,
} from './protocol.js';

/** Waits a millisecond without giving the event loop a turn. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

/** Writes at once, and waits while the pipe is full: a parent that is busy holds up nothing but this thread. */
function write(message: readonly Uint8Array[]): void {
  let pieces = message;
  while (pieces.length > 0) {
    let written = 0;
    try {
      written = writevSync(answerDescriptor, pieces);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit(1); // nobody reads any more
      pause();
    }
    while (pieces[0] !== undefined && written >= pieces[0].byteLength) {
      written -= pieces[0].byteLength;
      pieces = pieces.slice(1);
    }
    if (written > 0 && pieces[0] !== undefined) pieces = [pieces[0].subarray(written), ...pieces.slice(1)];
  }
}

/** If memory runs out, the system should end this process rather than the one whose work it does. */
function volunteerForTheOutOfMemoryKiller(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '800');
  } catch {
    // Not Linux, or not allowed.
  }
}

function serve(): void {
  const addon = getAddon();
  if (process.platform === 'win32') closeSync(lifelineDescriptor);
  addon.serveParent(lifelineDescriptor, process.ppid, answerDescriptor);
  const send = (reply: EngineReply) => {
    const message = encodeMessage(reply);
    if (!addon.writeToParent(message)) write(message);
  };
  const server = new EngineServer(addon, send);
  const reader = new MessageReader((message) => server.receive(message as EngineRequest));
  process.stdin.on('data', (chunk: Buffer) => reader.push(chunk));
  process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
  const { log: _log, ...systemInfo } = addon.getSystemInfo();
  send({
    type: 'ready',
    protocol: protocolVersion,
    systemInfo: { ...systemInfo, log: [] },
    devices: addon.getDevices(),
  });
}

// The terminal's signals are meant for the program, which decides what becomes of its engines.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
volunteerForTheOutOfMemoryKiller();
try {
  serve();
} catch (error) {
  write(encodeMessage({ type: 'refused', error: toSentError(error) } satisfies EngineReply));
  process.exit(1);
}

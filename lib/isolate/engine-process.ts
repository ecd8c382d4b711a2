/**
 * What the process of an isolated engine runs. It gets requests through its standard input and answers through a pipe of
 * its own, or, in Electron, through a message port; its standard error carries llama.cpp's log, which so outlives it. It loads nothing but the addon: it has to be
 * there in a moment.
 */
import { closeSync, writeFileSync, writevSync } from 'node:fs';
import { getAddon } from '../native/addon.js';
import { EngineServer } from './engine-server.js';
import { decodePacked, encodeMessage, packMessage } from './message-codec.js';
import { MessageReader } from './message-reader.js';
import {
  answerDescriptor,
  type EngineReply,
  type EngineRequest,
  lifelineDescriptor,
  protocolVersion,
  toSentError,
} from './protocol.js';

/** Where there is no such pipe. */
const noDescriptor = -1;

/** What is posted before the end needs a turn to get out. */
const lastWordsMs = 1000;

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

/** The port of a utility process of Electron. */
interface ParentPort {
  on(event: 'message', listener: (event: { readonly data: unknown }) => void): void;
  postMessage(message: unknown): void;
}

/** How this process is spoken to. */
interface Channel {
  readonly send: (reply: EngineReply) => void;
  listen(onRequest: (request: EngineRequest) => void): void;
}

/** Through pipes, whose other ends are the parent's alone. */
function openPipes(): Channel {
  return {
    send: (reply) => {
      const message = encodeMessage(reply);
      if (!getAddon().writeToParent(message)) write(message);
    },
    listen: (onRequest) => {
      if (process.platform === 'win32') closeSync(lifelineDescriptor);
      getAddon().serveParent(lifelineDescriptor, process.ppid, answerDescriptor);
      const reader = new MessageReader((message) => onRequest(message as EngineRequest));
      process.stdin.on('data', (chunk: Buffer) => reader.push(chunk));
      process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
    },
  };
}

/** Through Electron, which ends the process with the program. */
function openPort(port: ParentPort): Channel {
  return {
    send: (reply) => port.postMessage(packMessage(reply)),
    listen: (onRequest) => {
      getAddon().serveParent(noDescriptor, process.ppid, noDescriptor);
      port.on('message', ({ data }) => onRequest(decodePacked(data) as EngineRequest));
    },
  };
}

function serve({ send, listen }: Channel): void {
  const addon = getAddon();
  const server = new EngineServer(addon, send);
  listen((request) => server.receive(request));
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
const { parentPort } = process as NodeJS.Process & { parentPort?: ParentPort };
try {
  serve(parentPort === undefined ? openPipes() : openPort(parentPort));
} catch (error) {
  const refusal = { type: 'refused', error: toSentError(error) } satisfies EngineReply;
  if (parentPort === undefined) write(encodeMessage(refusal));
  else parentPort.postMessage(packMessage(refusal));
  process.exitCode = 1;
  setTimeout(() => process.exit(), lastWordsMs).unref();
}

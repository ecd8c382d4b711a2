// llama-server as its users run it: a process of its own, asked over HTTP.
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytes, start } from './processes.mjs';
import { toolPath } from './reference-tools.mjs';

const startLimitMs = 120_000;

/** A port nobody listens on. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A running server; `stop()` ends it. */
class LlamaServer {
  #child;
  #address;
  #output = '';
  #ended;

  constructor(child, port) {
    this.#child = child;
    this.#address = `http://127.0.0.1:${port}`;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output = (this.#output + text).slice(-4000);
      });
    }
    this.#ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
  }

  /** Resolves when the model is loaded. */
  async ready() {
    const limit = Date.now() + startLimitMs;
    while (Date.now() < limit && this.#child.exitCode === null) {
      const response = await fetch(`${this.#address}/health`).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.status === 200) return;
      await sleep(50);
    }
    throw new Error(`llama-server did not start:\n${this.#output}`);
  }

  /** Completes a prompt greedily, past any end-of-sequence token, and returns the answer's body. */
  async complete(prompt, tokens) {
    const response = await fetch(`${this.#address}/completion`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt, n_predict: tokens, temperature: 0, ignore_eos: true }),
    });
    const body = await response.json();
    if (response.status !== 200)
      throw new Error(`llama-server answered ${response.status}: ${JSON.stringify(body)}`);
    if (body.tokens_predicted !== tokens) {
      throw new Error(`llama-server made ${body.tokens_predicted} of ${tokens} tokens`);
    }
    return body;
  }

  get url() {
    return this.#address;
  }

  residentBytes() {
    return residentBytes(this.#child.pid);
  }

  async stop() {
    this.#child.kill();
    await this.#ended;
  }
}

/** Starts a server and waits for its model. The prompt cache in host memory is off: ours has none. */
export async function startServer({ model, threads, sequences, contextSize, chatTemplate }) {
  const port = await freePort();
  const child = start(toolPath('llama-server'), [
    ...['--model', model, '--threads', String(threads), '--gpu-layers', '0'],
    ...['--parallel', String(sequences), '--ctx-size', String(contextSize), '--kv-unified'],
    ...['--batch-size', '512', '--ubatch-size', '512', '--cache-ram', '0', '--fit', 'off'],
    ...['--host', '127.0.0.1', '--port', String(port), '--no-ui'],
    ...(chatTemplate === undefined ? [] : ['--chat-template', chatTemplate]),
  ]);
  const server = new LlamaServer(child, port);
  try {
    await server.ready();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * Requests that share a prefix, all at once, to a server that has seen nothing: milliseconds until the last answer is
 * complete, and the server's memory then.
 */
export async function measureServerSharedPrefix({ prompts, tokens, ...options }) {
  const server = await startServer({ ...options, sequences: prompts.length });
  try {
    const begin = performance.now();
    await Promise.all(prompts.map((prompt) => server.complete(prompt, tokens)));
    return { totalMs: performance.now() - begin, residentBytes: server.residentBytes() };
  } finally {
    await server.stop();
  }
}

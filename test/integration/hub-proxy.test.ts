import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import type { ResolveModelOptions } from '../../lib/hub/types.js';
import {
  commit,
  errorOf,
  fakeModel,
  fastTuning,
  hashOf,
  setEnvironment,
  sha256,
  startHub,
  temporaryDirectory,
} from '../helpers/hub-fixtures.js';
import { ProxyServer } from '../helpers/proxy-server.js';
import { runProgram } from '../helpers/run-program.js';

const model = fakeModel(1_000_000);
const source = 'hf:maker/tiny-GGUF:Q4_K_M';
const file = 'tiny-Q4_K_M.gguf';
const noProxies = { http_proxy: undefined, https_proxy: undefined, no_proxy: undefined, NO_PROXY: undefined };

/** A hub whose name only the proxy knows, and a call that asks it. */
async function prepare() {
  // Kept in git itself, so that the hub sends it and does not redirect to another server.
  const repository = { commit, files: { [file]: model }, plainFiles: [file] };
  const hub = await startHub({ 'maker/tiny-GGUF': repository });
  const proxy = await ProxyServer.start(Number(new URL(hub.url).port));
  const cacheDirectory = await temporaryDirectory();
  setEnvironment({ ...noProxies, HTTP_PROXY: `http://${proxy.host}` });
  const resolve = (options: ResolveModelOptions = {}) =>
    resolveModelWith(
      source,
      { cacheDirectory, endpoint: 'http://hub.test', offline: false, ...options },
      fastTuning,
    );
  return { hub, proxy, resolve };
}

describe('a hub behind a proxy', () => {
  it('is asked for everything through it, with the token and whole addresses', async () => {
    const { hub, proxy, resolve } = await prepare();
    expect(await hashOf(await resolve({ token: 'hf_secret' }))).toBe(sha256(model));
    expect(proxy.requests.length).toBe(hub.requests.length);
    expect(proxy.requests.map(({ target }) => target)).toContain(
      `http://hub.test/maker/tiny-GGUF/resolve/${commit}/${file}`,
    );
    expect(proxy.requests.every(({ target }) => target.startsWith('http://hub.test/'))).toBe(true);
    expect(hub.requests.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true);
  });

  it('continues a cut download through it', async () => {
    const { hub, resolve } = await prepare();
    hub.misbehaviour.cutAfterBytes = [300_000, 200_000];
    expect(await hashOf(await resolve())).toBe(sha256(model));
    const [, second] = hub.requests.filter(({ path }) => path.includes('/resolve/'));
    expect(second?.range).toMatch(/^bytes=\d+-$/);
  });

  it('is reached with the name and password of the proxy, which the hub does not see', async () => {
    const { hub, proxy, resolve } = await prepare();
    proxy.credentials = 'name:pass wörd';
    setEnvironment({ HTTP_PROXY: `http://name:${encodeURIComponent('pass wörd')}@${proxy.host}` });
    await resolve();
    expect(hub.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  // With plain http nobody can tell a 403 of the proxy from one of the hub.
  it.each([
    [407, 'http'],
    [407, 'https'],
    [403, 'https'],
  ])('is given up at once when the proxy answers %d to %s, with what to do', async (status, protocol) => {
    const { hub, proxy, resolve } = await prepare();
    proxy.refusal = status;
    setEnvironment({ [`${protocol.toUpperCase()}_PROXY`]: `http://name:secret@${proxy.host}` });
    const error = await errorOf(resolve({ endpoint: `${protocol}://hub.test` }), 'DOWNLOAD_FAILED');
    expect(error.message).toMatch(new RegExp(`the proxy answered ${status}.*name:password@host`));
    expect(error.message).not.toContain('secret');
    expect(proxy.requests.length).toBe(1);
    expect(hub.requests).toEqual([]);
  });

  it('out of reach is told with the proxy, without its password', async () => {
    const { resolve } = await prepare();
    setEnvironment({ HTTP_PROXY: 'http://name:secret@127.0.0.1:9' });
    const error = await errorOf(resolve(), 'DOWNLOAD_FAILED');
    expect(error.message).toContain(
      'hub.test cannot be reached through the proxy http://127.0.0.1:9 (HTTP_PROXY)',
    );
    expect(error.message).toMatch(/NO_PROXY/);
    expect(error.message).not.toMatch(/secret|HF_ENDPOINT/);
  });

  it('is asked directly when NO_PROXY names it', async () => {
    const { proxy, resolve } = await prepare();
    setEnvironment({ NO_PROXY: '.test' });
    // Only the proxy knows this host.
    const error = await errorOf(resolve(), 'DOWNLOAD_FAILED');
    expect(error.message).not.toContain('proxy');
    expect(proxy.requests).toEqual([]);
  });

  it('on this machine is never asked through it', async () => {
    const { hub, proxy, resolve } = await prepare();
    expect(await hashOf(await resolve({ endpoint: hub.url }))).toBe(sha256(model));
    expect(proxy.requests).toEqual([]);
  });
});

/** A certificate for hub.test, and its key. */
async function makeCertificate(directory: string) {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  const subject = ['-subj', '/CN=hub.test', '-addext', 'subjectAltName=DNS:hub.test', '-days', '2'];
  const kind = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject];
  const { status, stderr } = spawnSync('openssl', [...kind, '-keyout', key, '-out', certificate]);
  if (status !== 0) throw new Error(`openssl failed: ${stderr}`);
  return { key: await readFile(key), cert: await readFile(certificate), path: certificate };
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

// Node.js cannot make a certificate, and one in the repository would be a secret that is none.
describe.skipIf(!hasOpenssl)('a hub with https behind a proxy', () => {
  it('is reached through a tunnel, in which the proxy sees nothing but its name', async () => {
    const { hub } = await prepare();
    const directory = await temporaryDirectory();
    const { key, cert, path } = await makeCertificate(directory);
    const server = createServer({ key, cert }, (socket) => {
      const plain = connect(Number(new URL(hub.url).port), '127.0.0.1');
      socket.on('error', () => plain.destroy());
      plain.on('error', () => socket.destroy());
      socket.pipe(plain).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const proxy = await ProxyServer.start((server.address() as AddressInfo).port);
    proxy.credentials = 'name:password';
    // Certificates are read when a process starts.
    const variables = [
      `HTTPS_PROXY=http://name:password@${proxy.host}`,
      `NODE_EXTRA_CA_CERTS=${path}`,
      `HF_HUB_CACHE=${directory}`,
    ];
    const result = await runProgram(
      `import { resolveModel } from 'llama-native';
       import { readFileSync } from 'node:fs';
       import { createHash } from 'node:crypto';
       const path = await resolveModel('${source}', { endpoint: 'https://hub.test', token: 'hf_secret' });
       process.stdout.write(createHash('sha256').update(readFileSync(path)).digest('hex'));`,
      '',
      [],
      ['env', '-u', 'https_proxy', '-u', 'no_proxy', '-u', 'NO_PROXY', ...variables],
    );
    expect(result).toMatchObject({ exitCode: 0, stdout: sha256(model), stderr: '' });
    expect(new Set(proxy.requests.map(({ method, target }) => `${method} ${target}`))).toEqual(
      new Set(['CONNECT hub.test:443']),
    );
    expect(hub.requests.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true);
  });
});

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ServerContext } from '../../../lib/server/context.js';
import { pageDirectory } from '../../../lib/server/page/files.js';
import { pageRoutes } from '../../../lib/server/page/routes.js';
import { toServerSettings } from '../../../lib/server/settings.js';
import type { PageMetrics } from '../../../page/api/types.js';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';

/** A model that nobody asks for. */
const noModel = { source: 'no-such-file.gguf', name: 'none', preload: false };

describe('the files of the page', () => {
  let assets: string[];
  let started: TestServer;
  let url: string;
  afterAll(() => started.server.close());
  beforeAll(async () => {
    started = await startTestServer({ models: [noModel] });
    url = started.url;
    assets = (await readdir(join(pageDirectory, 'assets'))).filter((name) => !name.endsWith('.br'));
  });

  it('are served with a policy that lets the page load nothing from elsewhere', async () => {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const html = await response.text();
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
    expect(html).not.toMatch(/https?:\/\//);
  });

  it('are kept by browsers for good where their names say what is in them', async () => {
    expect(assets.length).toBeGreaterThan(3);
    for (const name of assets) {
      const response = await fetch(`${url}/assets/${name}`);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
  });

  it('are the same whether they are sent compressed or not', async () => {
    for (const name of assets) {
      const read = async (encoding: string) => {
        const response = await fetch(`${url}/assets/${name}`, { headers: { 'accept-encoding': encoding } });
        return { encoding: response.headers.get('content-encoding'), text: await response.text() };
      };
      const compressed = await read('br');
      const plain = await read('identity');
      expect(compressed).toEqual({ ...plain, encoding: 'br' });
    }
  });

  it('do not let other files be read through them', async () => {
    for (const path of [
      '/assets/../index.html',
      '/assets/..%2f..%2f..%2fpackage.json',
      '/assets/none.js',
      '/assets/',
    ]) {
      expect((await fetch(`${url}${path}`)).status, path).toBe(404);
    }
  });

  it('are not there when the server was told to have no page', async () => {
    const without = await startServerForTest({ models: [noModel], page: false });
    expect((await fetch(without.url)).status).toBe(404);
    expect((await fetch(`${without.url}/page/metrics`)).status).toBe(404);
  });

  it('are missed with a way to make them', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'llama-native-page-'));
    const app = Fastify();
    onTestFinished(async () => {
      await app.close();
      await rm(empty, { recursive: true });
    });
    const context = { settings: toServerSettings({ models: [] }) } as unknown as ServerContext;
    await app.register(pageRoutes(context, empty));
    const response = await app.inject('/');
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({
      code: 'page_not_built',
      error: expect.stringContaining('npm run compile:page'),
    });
  });
});

describe('the figures of the dashboard', () => {
  it('are those of the models that are loaded', async () => {
    const { url, server, post } = await startServerForTest();
    await server.models.load('smol');
    const read = async () => (await (await fetch(`${url}/page/metrics`)).json()) as PageMetrics;
    const before = await read();
    expect(before).toMatchObject({ inFlight: 0, models: [{ name: 'smol', state: 'ready', error: null }] });
    expect(before.memoryBytes).toBeGreaterThan(1e6);
    await post('/generate', { prompt: 'Once', max_tokens: 4, temperature: 0 });
    const [model] = (await read()).models;
    const figures = model?.figures;
    const earlier = before.models[0]?.figures;
    expect((figures?.completionTokens ?? 0) - (earlier?.completionTokens ?? 0)).toBe(4);
    expect(figures?.evaluatedTokens).toBeGreaterThan(earlier?.evaluatedTokens ?? 0);
    expect(figures).toMatchObject({ contextSize: 2048, memoryBytes: null });
  });

  it('are missing for a model that is not loaded', async () => {
    const { url } = await startServerForTest({ models: [noModel] });
    const { models } = (await (await fetch(`${url}/page/metrics`)).json()) as { models: unknown[] };
    expect(models).toEqual([
      { name: 'none', state: 'unloaded', inFlight: 0, progress: null, error: null, figures: null },
    ]);
  });
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startTestServer } from '../../helpers/test-server.js';

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly events: readonly { readonly name: string }[];
}

/** Takes spans as a collector of OpenTelemetry does. */
async function startCollector(): Promise<{ readonly url: string; readonly spans: SentSpan[] }> {
  const spans: SentSpan[] = [];
  const collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      for (const { scopeSpans } of JSON.parse(body).resourceSpans) {
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    collector.close();
  });
  return { url: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`, spans };
}

function attribute(span: SentSpan | undefined, name: string): unknown {
  const value = span?.attributes.find(({ key }) => key === name)?.value ?? {};
  return Object.values(value)[0];
}

describe('a collector of traces', () => {
  it('gets a span for each request, as part of the trace of its client', async () => {
    const { url: collector, spans } = await startCollector();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const { server, post } = await startTestServer();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const request = { prompt: 'The capital of France is', max_tokens: 3, temperature: 0 };
    const answer = await post('/generate', request, { traceparent });
    await answer.json();
    await (await post('/generate', { ...request, prompt: 'long '.repeat(4000) })).json();
    await server.close(); // sends what is left
    expect(spans.map(({ name }) => name)).toEqual(['text_completion smol', 'text_completion smol']);
    const [good, bad] = spans;
    expect(good).toMatchObject({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      parentSpanId: '00f067aa0ba902b7',
      events: [{ name: 'answer' }],
    });
    expect(attribute(good, 'gen_ai.request.model')).toBe('smol');
    expect(Number(attribute(good, 'gen_ai.usage.output_tokens'))).toBe(3);
    expect(attribute(good, 'llama_native.request_id')).toBe(answer.headers.get('x-request-id'));
    expect(bad?.status.code).toBe(2);
    expect(attribute(bad, 'error.type')).toBe('context_length_exceeded');
  });

  it('that is not there keeps nobody from being served', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:9');
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const { server, post } = await startTestServer();
    const response = await post('/generate', { prompt: 'Hello', max_tokens: 2 });
    expect(response.status).toBe(200);
    await server.close();
  });
});

import { readFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { credentials, type ServiceDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GrpcClient, type Message } from '../../helpers/grpc-client.js';
import { startServerForTest, startTestServer, type TestServer } from '../../helpers/test-server.js';
import { startTinyServer, type TinyServer } from '../../helpers/tiny-server-suite.js';

const grpc = { port: 0 };
const endless = { prompt: 'a', maxTokens: 1_000_000, sampling: { logitBias: { 258: -100 } } };

async function failureOf(answer: Promise<unknown>): Promise<ServiceError> {
  return answer.then(
    () => expect.fail('expected a failure'),
    (error: ServiceError) => error,
  );
}

describe('gRPC', () => {
  let started: TestServer;
  let client: GrpcClient;
  beforeAll(async () => {
    started = await startTestServer({ grpc, load: { threads: 1 } });
    client = new GrpcClient(started.grpcAddress);
  });
  afterAll(async () => {
    client.close();
    await started.server.close();
  });

  const greedy = { prompt: 'The capital of France is', maxTokens: 5, sampling: { temperature: 0 } };

  it('continues a prompt, with usage and timings', async () => {
    const answer = await client.call('Generate', { ...greedy, logprobs: 1 });
    expect(answer).toMatchObject({
      text: expect.stringContaining('Paris'),
      end: {
        model: 'smol',
        finishReason: 'LENGTH',
        stopString: '',
        usage: { promptTokens: 5, completionTokens: 5 },
        timings: { totalMs: expect.any(Number) },
      },
    });
    expect(answer.tokens).toHaveLength(5);
    const [first] = answer.logprobs as { chosen: Message; top: Message[] }[];
    expect(first?.chosen).toMatchObject({ text: ' Paris' });
    expect(first?.top).toHaveLength(1);
  });

  it('streams the same text, and its end last', async () => {
    const whole = await client.call('Generate', greedy);
    const { messages, error } = await client.stream('GenerateStream', greedy);
    expect(error).toBeUndefined();
    const text = messages.map(({ chunk }) => (chunk as { text: string } | null)?.text ?? '').join('');
    expect(text).toBe(whole.text);
    expect(messages.at(-1)).toMatchObject({
      end: { finishReason: 'LENGTH', usage: { completionTokens: 5 } },
    });
  });

  it('takes a prompt of tokens, as Tokenize gives them', async () => {
    const { tokens } = await client.call('Tokenize', { text: greedy.prompt });
    const { prompt: _prompt, ...others } = greedy;
    const answer = await client.call('Generate', { ...others, tokens: { ids: tokens } });
    expect(answer.text).toContain('Paris');
    expect(await client.call('Detokenize', { tokens })).toEqual({ text: greedy.prompt });
  });

  it('gives the bytes of each token', async () => {
    const { tokens, pieces } = await client.call('Tokenize', { text: 'Hi 🦙', withPieces: true });
    expect((tokens as number[]).length).toBeGreaterThan(2);
    expect(Buffer.concat(pieces as Buffer[]).toString()).toBe('Hi 🦙');
  });

  it('answers a conversation, whole and streamed', async () => {
    const request = {
      messages: [{ role: 'user', content: 'Say hello.' }],
      maxTokens: 8,
      sampling: { temperature: 0 },
    };
    const whole = await client.call('Chat', request);
    expect(whole.text).not.toBe('');
    const { messages } = await client.stream('ChatStream', request);
    expect(messages.map(({ text = '' }) => text).join('')).toBe(whole.text);
    expect(messages.at(-1)).toMatchObject({ end: { model: 'smol', finishReason: 'LENGTH' } });
  });

  it('hands over the calls that the model asks for', async () => {
    const parameters = JSON.stringify({ properties: { city: { enum: ['Paris'] } }, required: ['city'] });
    const request = {
      messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
      tools: [{ name: 'weather', description: 'The weather.', parameters }],
      toolChoice: 'weather',
      parallelToolCalls: false,
      maxTokens: 80,
    };
    const call = { name: 'weather', arguments: expect.stringContaining('Paris') };
    expect(await client.call('Chat', request)).toMatchObject({
      toolCalls: [call],
      end: { finishReason: 'TOOL_CALLS' },
    });
    const { messages } = await client.stream('ChatStream', request);
    expect(messages.filter(({ toolCall }) => toolCall)).toEqual([
      { toolCall: { id: expect.any(String), name: 'weather', arguments: expect.stringContaining('Paris') } },
    ]);
  });

  it.each([
    [{ jsonSchema: '{"type":"integer","minimum":1,"maximum":9}' }, /^[1-9]$/],
    [{ regex: '[ab]{2}' }, /^[ab]{2}$/],
    [{ grammar: 'root ::= "yes"' }, /^yes$/],
    [{ choice: { texts: ['left', 'right'] } }, /^(left|right)$/],
  ])('holds an answer to the form %j', async (form, expected) => {
    expect((await client.call('Generate', { prompt: 'So:', form })).text).toMatch(expected);
  });

  it('turns texts into vectors of length 1', async () => {
    const { embeddings, model } = await client.call('Embed', { texts: ['a llama', 'a train'] });
    expect(model).toBe('smol');
    const lengths = (embeddings as { values: number[] }[]).map(({ values }) => Math.hypot(...values));
    expect(lengths).toEqual([expect.closeTo(1, 3), expect.closeTo(1, 3)]);
  });

  it('lists the models', async () => {
    const { models } = await client.call('ListModels', {});
    expect(models).toMatchObject([{ name: 'smol', isDefault: true, state: 'ready', aliases: [] }]);
  });

  it('serves the standard health service', async () => {
    const health = new GrpcClient(started.grpcAddress, {
      service: healthService as unknown as ServiceDefinition,
    });
    onTestFinished(() => health.close());
    for (const service of ['', 'llama_native.v1.LlamaNative']) {
      expect(await health.call('Check', { service })).toMatchObject({ status: 'SERVING' });
    }
    expect((await failureOf(health.call('Check', { service: 'other' }))).code).toBe(status.NOT_FOUND);
  });

  it.each<[string, string, object, number, string]>([
    ['no prompt', 'Generate', {}, status.INVALID_ARGUMENT, 'invalid_value'],
    ['an unknown model', 'Generate', { prompt: 'a', model: 'none' }, status.NOT_FOUND, 'model_not_found'],
    ['a limit of 0', 'Generate', { prompt: 'a', maxTokens: 0 }, status.INVALID_ARGUMENT, 'invalid_value'],
    [
      'a bad temperature',
      'Generate',
      { prompt: 'a', sampling: { temperature: -1 } },
      status.INVALID_ARGUMENT,
      'invalid_value',
    ],
    [
      'a schema that is no JSON',
      'Generate',
      { prompt: 'a', form: { jsonSchema: '{' } },
      status.INVALID_ARGUMENT,
      'invalid_value',
    ],
    [
      'a bad regular expression',
      'Generate',
      { prompt: 'a', form: { regex: '(' } },
      status.INVALID_ARGUMENT,
      'invalid_value',
    ],
    [
      'a bad grammar',
      'Generate',
      { prompt: 'a', form: { grammar: 'root ::= (' } },
      status.INVALID_ARGUMENT,
      'invalid_grammar',
    ],
    [
      'a prompt over the context',
      'Generate',
      { prompt: 'word '.repeat(3000) },
      status.INVALID_ARGUMENT,
      'context_length_exceeded',
    ],
    [
      'a token that does not exist',
      'Detokenize',
      { tokens: [4_000_000_000] },
      status.INVALID_ARGUMENT,
      'invalid_token',
    ],
    ['no messages', 'Chat', {}, status.INVALID_ARGUMENT, 'invalid_value'],
    [
      'an unknown role',
      'Chat',
      { messages: [{ role: 'ghost' }] },
      status.INVALID_ARGUMENT,
      'invalid_messages',
    ],
    [
      'a choice of no tool',
      'Chat',
      { messages: [{ role: 'user', content: 'a' }], toolChoice: 'x' },
      status.INVALID_ARGUMENT,
      'invalid_value',
    ],
    ['no texts', 'Embed', {}, status.INVALID_ARGUMENT, 'invalid_value'],
    [
      'an unknown pooling',
      'Embed',
      { texts: ['a'], pooling: 'none' },
      status.INVALID_ARGUMENT,
      'invalid_value',
    ],
  ])('refuses %s', async (_what, method, request, code, reason) => {
    const error = await failureOf(client.call(method, request));
    expect(error).toMatchObject({ code, details: expect.any(String) });
    expect(error.metadata.get('error-code')).toEqual([reason]);
    expect(error.metadata.get('x-request-id')).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    if (method === 'Generate' || method === 'Chat') {
      const { messages, error: streamed } = await client.stream(`${method}Stream`, request);
      expect(messages).toEqual([]);
      expect(streamed).toMatchObject({ code });
    }
  });

  it('refuses methods that do not exist', async () => {
    const other = { Fly: { ...healthService.Check, path: '/llama_native.v1.LlamaNative/Fly' } };
    const stranger = new GrpcClient(started.grpcAddress, { service: other as unknown as ServiceDefinition });
    onTestFinished(() => stranger.close());
    expect((await failureOf(stranger.call('Fly', {}))).code).toBe(status.UNIMPLEMENTED);
  });
});

describe('gRPC with a model that goes on and on', () => {
  let tiny: TinyServer;
  let client: GrpcClient;
  beforeAll(async () => {
    tiny = await startTinyServer({
      grpc,
      bodyLimitBytes: 100_000,
      load: { contextSize: 4096 },
      slowReaderTimeoutMs: 1000,
    });
    client = new GrpcClient(tiny.grpcAddress);
  });
  afterAll(async () => {
    client.close();
    await tiny.close();
  });

  const firstMessage = (call: ReturnType<GrpcClient['open']>) =>
    new Promise((resolve, reject) => call.once('data', resolve).once('error', reject));

  it('ends a call that is cancelled, streamed or not, and leaves no sequence behind', async () => {
    const call = client.open('GenerateStream', endless);
    await firstMessage(call);
    call.on('error', () => {});
    call.cancel();
    await tiny.becomesIdle();
    const failed = failureOf(client.call('Generate', endless, {}, { deadline: Date.now() + 200 }));
    expect((await failed).code).toBe(status.DEADLINE_EXCEEDED);
    await tiny.becomesIdle();
  });

  it('ends calls whose client vanishes', async () => {
    const vanishing = new GrpcClient(tiny.grpcAddress, { channel: { 'grpc.use_local_subchannel_pool': 1 } });
    const calls = Array.from({ length: 12 }, () => vanishing.open('GenerateStream', endless));
    for (const call of calls) call.on('error', () => {});
    await firstMessage(calls[0] as (typeof calls)[0]);
    vanishing.close();
    for (const call of calls) call.cancel();
    await tiny.becomesIdle();
  });

  it('ends calls whose connection breaks', async () => {
    const session = connect(`http://${tiny.grpcAddress}`);
    session.on('error', () => {});
    const request = session.request({
      ':method': 'POST',
      ':path': '/llama_native.v1.LlamaNative/GenerateStream',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    request.on('error', () => {});
    // GenerateRequest { prompt: "a", max_tokens: 4000 }
    const message = Buffer.from([0x12, 0x01, 0x61, 0x20, 0xa0, 0x1f]);
    request.write(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    await new Promise((resolve) => request.once('data', resolve));
    session.destroy();
    await tiny.becomesIdle();
  });

  it('pauses for a client that does not read, and gives it up after a time', async () => {
    const session = connect(`http://${tiny.grpcAddress}`, { settings: { initialWindowSize: 0 } });
    session.on('error', () => {});
    onTestFinished(() => session.destroy());
    const request = session.request({
      ':method': 'POST',
      ':path': '/llama_native.v1.LlamaNative/GenerateStream',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    request.on('error', () => {}).pause();
    const message = Buffer.from([0x12, 0x01, 0x61, 0x20, 0xa0, 0x1f]);
    request.write(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(tiny.server.models.find('tiny').inFlight).toBe(1);
    await tiny.becomesIdle();
  });

  it('refuses a message that is too large, and one that is no protocol buffer', async () => {
    const error = await failureOf(client.call('Generate', { prompt: 'x'.repeat(200_000) }));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    const definition = {
      ...healthService.Check,
      path: '/llama_native.v1.LlamaNative/Generate',
      requestSerialize: () => Buffer.from([0xff, 0xff, 0xff]),
    };
    const garbage = new GrpcClient(tiny.grpcAddress, {
      service: { Send: definition } as unknown as ServiceDefinition,
    });
    onTestFinished(() => garbage.close());
    expect([status.INTERNAL, status.INVALID_ARGUMENT]).toContain(
      (await failureOf(garbage.call('Send', {}))).code,
    );
    await tiny.becomesIdle();
  });

  it('survives bytes that are no HTTP/2', async () => {
    const [host = '', port = ''] = tiny.grpcAddress.split(':');
    const socket = connectSocket(Number(port), host);
    socket.on('error', () => {}).on('data', () => {});
    socket.write(Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 89) % 256)));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await client.call('Generate', { prompt: 'a', maxTokens: 2 })).toMatchObject({
      end: { model: 'tiny' },
    });
  });

  it('runs many calls at once, with the answers of each alone', async () => {
    const request = (index: number) => ({ prompt: `p${index}`, maxTokens: 30, sampling: { temperature: 0 } });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => client.call('Generate', request(index))),
    );
    for (const [index, { text }] of answers.entries()) {
      expect((await client.call('Generate', request(index))).text).toBe(text);
    }
  });
});

describe('a gRPC server', () => {
  it('asks for a key in the metadata where the server has keys', async () => {
    const started = await startServerForTest({ grpc, apiKeys: ['secret-of-tests'] });
    const client = new GrpcClient(started.grpcAddress);
    onTestFinished(() => client.close());
    const error = await failureOf(client.call('ListModels', {}));
    expect(error).toMatchObject({ code: status.UNAUTHENTICATED });
    expect(error.details).not.toContain('secret');
    const wrong = { authorization: 'Bearer something-else' };
    expect((await failureOf(client.call('ListModels', {}, wrong))).code).toBe(status.UNAUTHENTICATED);
    expect((await client.stream('GenerateStream', { prompt: 'a' }, wrong)).error?.code).toBe(
      status.UNAUTHENTICATED,
    );
    for (const metadata of [
      { authorization: 'Bearer secret-of-tests' },
      { 'x-api-key': 'secret-of-tests' },
    ]) {
      expect(await client.call('ListModels', {}, metadata)).toHaveProperty('models');
    }
  });

  it('speaks TLS where the server does', async () => {
    const fixture = (name: string) => readFile(new URL(`../../fixtures/${name}.pem`, import.meta.url));
    const certificate = await fixture('tls-test-certificate');
    const started = await startServerForTest({
      grpc,
      tls: { key: await fixture('tls-test-key'), certificate },
    });
    const address = started.grpcAddress.replace('127.0.0.1', 'localhost');
    const client = new GrpcClient(address, { credentials: credentials.createSsl(certificate) });
    onTestFinished(() => client.close());
    expect(await client.call('ListModels', {})).toHaveProperty('models');
    const plain = new GrpcClient(started.grpcAddress);
    onTestFinished(() => plain.close());
    const deadline = Date.now() + 2000;
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain(
      (await failureOf(plain.call('ListModels', {}, {}, { deadline }))).code,
    );
  });

  it('lets short calls end when it closes, and ends long ones as unavailable', async () => {
    const tiny = await startTinyServer({ grpc, shutdownTimeoutMs: 3000, load: { contextSize: 65_536 } });
    const client = new GrpcClient(tiny.grpcAddress);
    onTestFinished(() => client.close());
    const long = client.stream('GenerateStream', endless);
    const short = client.call('Generate', { prompt: 'a', maxTokens: 3 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closed = tiny.close();
    expect(await short).toMatchObject({ end: { finishReason: 'LENGTH' } });
    const { messages, error } = await long;
    expect(messages.length).toBeGreaterThan(0);
    if (error !== undefined) expect(error.code).toBe(status.UNAVAILABLE);
    else expect(messages.at(-1)).toMatchObject({ end: { finishReason: 'LENGTH' } });
    await closed;
    expect((await failureOf(client.call('ListModels', {}))).code).toBe(status.UNAVAILABLE);
  });

  it('says which address it cannot have', async () => {
    const first = await startServerForTest({ grpc });
    const port = Number(first.grpcAddress.split(':')[1]);
    await expect(startTestServer({ grpc: { port } })).rejects.toMatchObject({
      code: 'SERVER_START_FAILED',
      message: expect.stringContaining(String(port)),
    });
  });
});

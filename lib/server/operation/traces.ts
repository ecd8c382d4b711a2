import { setTimeout } from 'node:timers/promises';
import type { Span, Tracer } from '@opentelemetry/api';
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type { FastifyBaseLogger } from 'fastify';
import { toFailure } from '../failures.js';
import type { Work, WorkKind, WorkRequest, WorkResult } from '../workload/work.js';

/** Traces that are being sent. */
export interface Traces {
  /** Sends what is left. */
  readonly close: () => Promise<void>;
}

const packages = [
  '@opentelemetry/api',
  '@opentelemetry/core',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-trace-base',
  '@opentelemetry/exporter-trace-otlp-http',
];

/** OpenTelemetry's names for what generative models do. */
const operations: Readonly<Record<WorkKind, string>> = {
  chat: 'chat',
  completion: 'text_completion',
  embedding: 'embeddings',
  rerank: 'rerank',
  tokens: 'tokens',
};

/** The span of a request, and the tokens of all its answers until now. */
interface TracedRequest {
  readonly span: Span;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
}

/** Adds an answer: its tokens as OpenTelemetry's conventions for generative models name them, its times as an event. */
function addAnswer(traced: TracedRequest, { usage, timings }: WorkResult): void {
  traced.promptTokens += usage.promptTokens;
  traced.cachedTokens += usage.cachedTokens;
  traced.completionTokens += usage.completionTokens;
  traced.span.setAttributes({
    'gen_ai.usage.input_tokens': traced.promptTokens,
    'gen_ai.usage.cache_read.input_tokens': traced.cachedTokens,
    'gen_ai.usage.output_tokens': traced.completionTokens,
  });
  traced.span.addEvent('answer', {
    'llama_native.queue_ms': timings.queueMs,
    'llama_native.prompt_ms': timings.promptMs,
    'llama_native.time_to_first_token_ms': timings.timeToFirstTokenMs,
    'llama_native.completion_ms': timings.completionMs,
  });
}

async function loadOpenTelemetry() {
  const [api, core, resources, sdk, exporter] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/core'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  return { api, core, resources, sdk, exporter };
}

type OpenTelemetry = Awaited<ReturnType<typeof loadOpenTelemetry>>;

/** A provider of its own, so that one that the program has registered for itself is left alone. */
function createProvider({ resources, sdk, exporter }: OpenTelemetry): BasicTracerProvider {
  return new sdk.BasicTracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': process.env.OTEL_SERVICE_NAME ?? 'llama-native',
    }),
    // Its address, headers and timeouts are read from OpenTelemetry's own variables.
    spanProcessors: [new sdk.BatchSpanProcessor(new exporter.OTLPTraceExporter())],
  });
}

function traceWork(work: Work, tracer: Tracer, { api, core }: OpenTelemetry): void {
  const propagator = new core.W3CTraceContextPropagator();
  const spans = new Map<WorkRequest, TracedRequest>();
  work.on('begin', (request, model) => {
    const { traceparent } = request.scope;
    const parent =
      traceparent === undefined
        ? api.ROOT_CONTEXT
        : propagator.extract(api.ROOT_CONTEXT, { traceparent }, api.defaultTextMapGetter);
    const operation = operations[request.kind];
    const attributes = {
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': 'llama-native',
      'gen_ai.request.model': model,
      'llama_native.request_id': request.scope.id,
      'llama_native.client': request.client.name,
    };
    const span = tracer.startSpan(`${operation} ${model}`, { kind: api.SpanKind.SERVER, attributes }, parent);
    spans.set(request, { span, promptTokens: 0, cachedTokens: 0, completionTokens: 0 });
  });
  work.on('result', (request, _model, result) => {
    const traced = spans.get(request);
    if (traced !== undefined) addAnswer(traced, result);
  });
  work.on('end', (request, _model, { error }) => {
    const span = spans.get(request)?.span;
    spans.delete(request);
    if (error !== undefined) {
      const { code, message } = toFailure(error);
      span?.setAttribute('error.type', code).setStatus({ code: api.SpanStatusCode.ERROR, message });
    }
    span?.end();
  });
}

/** A collector that does not answer is tried for ten seconds otherwise, and the server would not end until then. */
const mostMsToSendRest = 2000;

async function sendRest(provider: BasicTracerProvider, log: FastifyBaseLogger): Promise<void> {
  const tooLate = setTimeout(mostMsToSendRest, 'late', { ref: false });
  const sent = provider.shutdown().catch((error: unknown) => log.warn({ err: error }, 'traces were lost'));
  if ((await Promise.race([sent, tooLate])) === 'late')
    log.warn('traces were lost: the collector does not answer');
}

/** True if OpenTelemetry's variables name a collector. */
function hasCollector(environment: NodeJS.ProcessEnv): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = environment;
  return Boolean(all ?? traces) && environment.OTEL_SDK_DISABLED !== 'true';
}

/**
 * Sends a span for each request that makes a model work, if a collector is named by `OTEL_EXPORTER_OTLP_ENDPOINT`. The
 * libraries for it are not installed with this package; without them the log says which are missing.
 */
export async function startTraces(work: Work, log: FastifyBaseLogger): Promise<Traces | undefined> {
  if (!hasCollector(process.env)) return undefined;
  try {
    const telemetry = await loadOpenTelemetry();
    const provider = createProvider(telemetry);
    traceWork(work, provider.getTracer('llama-native'), telemetry);
    return { close: () => sendRest(provider, log) };
  } catch (error) {
    const message = `A collector of traces is named, but what sends to it is not installed: npm install ${packages.join(' ')}`;
    log.warn({ err: error }, message);
    return undefined;
  }
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ChatAnswer } from '../../index.js';
import type { ServerContext } from '../context.js';
import type { Failure } from '../failures.js';
import { handleErrors, reportFailure } from '../http/error-handling.js';
import { EventStream } from '../http/event-stream.js';
import type { WorkPlace } from '../workload/work.js';
import { type CauseNames, nameCause, toOpenaiError } from './errors.js';
import type { Item } from './responses/items.js';
import {
  InputTokensRequest,
  type ResponsesBody,
  type ResponsesCall,
  ResponsesRequest,
  readConversation,
  readResponsesCall,
} from './responses/request.js';
import { finished, type ResponseHead, toHead, toOutput } from './responses/response.js';
import { ResponseStream } from './responses/response-stream.js';
import { ResponseStore } from './responses/store.js';
import { storedResponseRoutes } from './responses/stored-routes.js';
import { fitFormat, startChat } from './start-chat.js';
import { reasoningTokensOf } from './usage.js';
import { explainBadBodies } from './validation.js';
import { warn } from './warnings.js';

const causes: CauseNames = {
  input: 'input',
  format: 'text.format',
  maxTokens: 'max_output_tokens',
  tokens: 'logit_bias',
};

/** One request for a response. */
interface Task {
  readonly context: ServerContext;
  readonly store: ResponseStore;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly body: ResponsesBody;
  readonly call: ResponsesCall;
}

function start({ call, reply }: Task, { model, signal }: WorkPlace, onStart?: () => void): ChatAnswer {
  const options = { ...call.options, signal, ...(onStart && { onStart }) };
  const { answers, warnings } = startChat(model, { ...call, options }, [undefined]);
  warn(reply, warnings);
  const [answer] = answers;
  if (answer === undefined) throw new Error('one seed makes one answer');
  return answer;
}

/** Keeps a response, unless the client does not want that. */
function keep(
  { store, request, body, call }: Task,
  head: ResponseHead,
  response: object,
  output: Item[],
): void {
  if (body.store === false) return;
  const input = call.items.map(({ item }) => item);
  store.put({ id: head.id, owner: request.client.name, response, input, output });
}

async function answerAtOnce(task: Task, place: WorkPlace): Promise<object> {
  const head = toHead(task.body, place.name);
  const result = await start(task, place).result;
  place.record(result);
  const output = toOutput(result);
  const response = finished(head, result, output, await reasoningTokensOf(place.model, [result]));
  keep(task, head, response, output);
  return response;
}

/** OpenAI has few codes for what can go wrong in the middle. */
function toStreamError({ kind, message }: Failure): { code: string; message: string } {
  const codes: Partial<Record<Failure['kind'], string>> = {
    'rate-limited': 'rate_limit_exceeded',
    'invalid-request': 'invalid_prompt',
  };
  return { code: codes[kind] ?? 'server_error', message };
}

/**
 * Streams a response. The stream begins when the prompt does: what is refused before is an error with a status of its
 * own, and what fails later an event.
 */
async function answerAsStream(task: Task): Promise<void> {
  const { context, request, reply, body } = task;
  const { scope, client } = request;
  let events: EventStream | undefined;
  let stream: ResponseStream | undefined;
  try {
    const work = { scope, client, kind: 'chat', model: body.model ?? undefined } as const;
    await context.work.run(work, async (place) => {
      const head = toHead(body, place.name);
      const open = (): ResponseStream => {
        if (stream !== undefined) return stream;
        events = EventStream.open(request, reply, context.settings);
        stream = new ResponseStream(events, head);
        stream.begin();
        return stream;
      };
      const answer = start(task, place, open);
      for await (const part of answer) {
        const full = open().add(part);
        if (full !== undefined) await full;
      }
      const result = await answer.result;
      place.record(result);
      const reasoningTokens = await reasoningTokensOf(place.model, [result]);
      const finishing = open();
      keep(task, head, finishing.finish(result, reasoningTokens), finishing.output);
    });
  } catch (error) {
    if (stream === undefined) throw error;
    stream.fail(toStreamError(reportFailure(request, nameCause(error, causes))));
  } finally {
    events?.end();
  }
}

/** OpenAI's `/v1/responses`. */
export function responsesRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  const store = new ResponseStore();
  return async (app) => {
    handleErrors(app, toOpenaiError);
    explainBadBodies(app);
    // As it is: a serializer made from a schema leaves out what the schema does not name.
    app.setSerializerCompiler(() => (data) => JSON.stringify(data));

    app.post(
      '/v1/responses',
      { schema: { tags: ['OpenAI'], summary: 'Answer input, and remember it', body: ResponsesRequest } },
      async (request, reply) => {
        const { scope, client, body } = request;
        try {
          const call = readResponsesCall(body, store, client.name);
          const task: Task = { context, store, request, reply, body, call };
          if (body.stream === true) {
            await answerAsStream(task);
            return undefined;
          }
          const work = { scope, client, kind: 'chat', model: body.model ?? undefined } as const;
          return await context.work.run(work, (place) => answerAtOnce(task, place));
        } catch (error) {
          throw nameCause(error, causes);
        }
      },
    );

    app.post(
      '/v1/responses/input_tokens',
      { schema: { tags: ['OpenAI'], summary: 'Count the tokens of input', body: InputTokensRequest } },
      async ({ scope, client, body }) => {
        try {
          const { messages, options } = fitFormat(readConversation(body, store, client.name));
          const work = { scope, client, kind: 'tokens', model: body.model ?? undefined } as const;
          return await context.work.run(work, async ({ model }) => ({
            object: 'response.input_tokens',
            input_tokens: await model.countTokens(messages, options),
          }));
        } catch (error) {
          throw nameCause(error, causes);
        }
      },
    );

    await app.register(storedResponseRoutes(store));
  };
}

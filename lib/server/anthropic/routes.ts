import { randomBytes } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ChatAnswer, PromptUsage } from '../../index.js';
import type { ServerContext } from '../context.js';
import { handleErrors, reportFailure } from '../http/error-handling.js';
import { EventStream } from '../http/event-stream.js';
import { fitFormat, startChat } from '../openai/start-chat.js';
import { reasoningTokensOf } from '../openai/usage.js';
import { explainBadBodies } from '../openai/validation.js';
import { warn } from '../openai/warnings.js';
import type { WorkPlace } from '../workload/work.js';
import { type AnswerHead, toContent, toEnding, toMessage, toUsage } from './answer.js';
import { toAnthropicError } from './errors.js';
import { MessageStream } from './message-stream.js';
import {
  CountRequest,
  type MessagesBody,
  type MessagesCall,
  MessagesRequest,
  readCountCall,
  readMessagesCall,
} from './request.js';
import { CountResponse, MessageResponse } from './response.js';

function toHead(
  { name }: WorkPlace,
  { max_tokens: maxTokens }: MessagesBody,
  call: MessagesCall,
): AnswerHead {
  const { stopSequences, showsThinking } = call;
  const id = `msg_${randomBytes(12).toString('hex')}`;
  return { id, model: name, stopSequences, showsThinking, maxTokens };
}

/** Where an answer is there before its beginning was told of, as may happen with an engine in another process. */
const unknownUsage: PromptUsage = { promptTokens: 0, cachedTokens: 0 };

function start(
  { model, signal }: WorkPlace,
  call: MessagesCall,
  reply: FastifyReply,
  onStart?: (prompt: PromptUsage) => void,
): ChatAnswer {
  const options = { ...call.options, signal, ...(onStart && { onStart }) };
  const { answers, warnings } = startChat(model, { ...call, options }, [undefined]);
  warn(reply, warnings);
  const [answer] = answers;
  if (answer === undefined) throw new Error('one seed makes one answer');
  return answer;
}

async function answerAtOnce(place: WorkPlace, body: MessagesBody, call: MessagesCall, reply: FastifyReply) {
  const result = await start(place, call, reply).result;
  place.record(result);
  const head = toHead(place, body, call);
  return toMessage(head, {
    content: toContent(result, call.showsThinking),
    ...toEnding(result, head),
    usage: toUsage(result.usage, await reasoningTokensOf(place.model, [result])),
  });
}

/**
 * Streams an answer. The stream begins when the prompt does: what is refused before is an error with a status of its own,
 * and what fails later an event.
 */
async function answerAsStream(
  context: ServerContext,
  request: FastifyRequest<{ Body: MessagesBody }>,
  reply: FastifyReply,
  call: MessagesCall,
): Promise<void> {
  const { scope, client, body } = request;
  let events: EventStream | undefined;
  try {
    await context.work.run({ scope, client, kind: 'chat', model: body.model }, async (place) => {
      let stream: MessageStream | undefined;
      const open = (prompt: PromptUsage): MessageStream => {
        if (stream !== undefined) return stream;
        reply.header('request-id', request.id);
        events = EventStream.open(request, reply, context.settings);
        stream = new MessageStream(events, toHead(place, body, call));
        stream.begin(prompt);
        return stream;
      };
      const answer = start(place, call, reply, open);
      for await (const part of answer) {
        const full = open(unknownUsage).add(part);
        if (full !== undefined) await full;
      }
      const result = await answer.result;
      place.record(result);
      open(unknownUsage).finish(result, await reasoningTokensOf(place.model, [result]));
    });
  } catch (error) {
    if (events === undefined) throw error;
    events.send(JSON.stringify(toAnthropicError(reportFailure(request, error), request)), 'error');
  } finally {
    events?.end();
  }
}

/** Anthropic's API: `POST /v1/messages` and `POST /v1/messages/count_tokens`. */
export function anthropicRoutes(context: ServerContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    handleErrors(app, toAnthropicError);
    explainBadBodies(app);
    // As it is: a serializer made from a schema leaves out what the schema does not name.
    app.setSerializerCompiler(() => (data) => JSON.stringify(data));
    app.addHook('onSend', (request, reply, _payload, done) => {
      reply.header('request-id', request.id);
      done();
    });

    app.post(
      '/v1/messages',
      {
        schema: {
          tags: ['Anthropic'],
          summary: 'Answer a conversation',
          body: MessagesRequest,
          response: { 200: MessageResponse },
        },
      },
      async (request, reply) => {
        const { scope, client, body } = request;
        const call = readMessagesCall(body);
        if (body.stream === true) {
          await answerAsStream(context, request, reply, call);
          return reply;
        }
        return context.work.run({ scope, client, kind: 'chat', model: body.model }, (place) =>
          answerAtOnce(place, body, call, reply),
        );
      },
    );

    app.post(
      '/v1/messages/count_tokens',
      {
        schema: {
          tags: ['Anthropic'],
          summary: 'Count the tokens of a conversation',
          body: CountRequest,
          response: { 200: CountResponse },
        },
      },
      async ({ scope, client, body }) => {
        const { messages, options } = fitFormat(readCountCall(body));
        return context.work.run({ scope, client, kind: 'tokens', model: body.model }, async ({ model }) => ({
          input_tokens: await model.countTokens(messages, options),
        }));
      },
    );
  };
}

import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ServerContext } from '../context.js';
import { readPieces } from '../tokens/token-bytes.js';
import type { WorkKind, WorkPlace } from '../workload/work.js';
import type { Call, Calls, Send } from './calls.js';
import type {
  ChatRequest,
  DetokenizeRequest,
  EmbedRequest,
  GenerateRequest,
  TokenizeRequest,
} from './messages.js';
import { toChatCall, toEmbedOptions, toGenerateCall } from './requests.js';
import { toChatResponse, toEnd, toGenerateEvent, toGenerateResponse } from './responses.js';

/** The methods of the service `llama_native.v1.LlamaNative`. */
export function toImplementation(context: ServerContext, calls: Calls): UntypedServiceImplementation {
  const run = <Result>(
    { model }: { readonly model: string },
    { scope, client }: Call,
    kind: WorkKind,
    task: (place: WorkPlace) => Promise<Result>,
  ) => context.work.run({ scope, client, kind, model: model === '' ? undefined : model }, task);

  const startGeneration = ({ model, signal }: WorkPlace, request: GenerateRequest) => {
    const { prompt, options } = toGenerateCall(request);
    return model.generate(prompt, { ...options, signal });
  };

  const generate = (request: GenerateRequest, call: Call) =>
    run(request, call, 'completion', async (place) => {
      const result = await startGeneration(place, request).result;
      place.record(result);
      return toGenerateResponse(place.name, result);
    });

  const generateStream = (request: GenerateRequest, call: Call, send: Send) =>
    run(request, call, 'completion', async (place) => {
      const generation = startGeneration(place, request);
      for await (const chunk of generation) {
        const wait = send(toGenerateEvent(chunk));
        if (wait !== undefined) await wait;
      }
      const result = await generation.result;
      place.record(result);
      await send({ end: toEnd(place.name, result) });
    });

  const startChat = ({ model, signal }: WorkPlace, request: ChatRequest) => {
    const { messages, options } = toChatCall(request);
    return model.chat(messages, { ...options, signal });
  };

  const chat = (request: ChatRequest, call: Call) =>
    run(request, call, 'chat', async (place) => {
      const result = await startChat(place, request).result;
      place.record(result);
      return toChatResponse(place.name, result);
    });

  const chatStream = (request: ChatRequest, call: Call, send: Send) =>
    run(request, call, 'chat', async (place) => {
      const answer = startChat(place, request);
      for await (const part of answer) {
        let wait: Promise<void> | undefined;
        if (part.type === 'text') wait = send({ text: part.text });
        else if (part.type === 'reasoning') wait = send({ reasoning: part.text });
        else if (part.type === 'tool-call' && part.complete) {
          wait = send({ toolCall: { id: part.id, name: part.name, arguments: part.argumentsText } });
        }
        if (wait !== undefined) await wait;
      }
      const result = await answer.result;
      place.record(result);
      await send({ end: toEnd(place.name, result) });
    });

  const embed = (request: EmbedRequest, call: Call) =>
    run(request, call, 'embedding', async ({ model, name, signal }) => {
      const vectors = await model.embed(request.texts, { ...toEmbedOptions(request), signal });
      return { model: name, embeddings: vectors.map((vector) => ({ values: [...vector] })) };
    });

  const tokenize = (request: TokenizeRequest, call: Call) =>
    run(request, call, 'tokens', async ({ model }) => {
      const { text, addSpecial = true, parseSpecial = false } = request;
      const tokens = await model.tokenize(text, { addSpecial, parseSpecial });
      const pieces = request.withPieces ? await readPieces(model, tokens) : [];
      return { tokens: [...tokens], pieces: pieces.map((piece) => Buffer.from(piece as string)) };
    });

  const detokenize = (request: DetokenizeRequest, call: Call) =>
    run(request, call, 'tokens', async ({ model }) => ({
      text: await model.detokenize(request.tokens, { renderSpecial: true }),
    }));

  const listModels = async () => ({
    models: context.models.list().map(({ name, aliases, state, createdSeconds }) => ({
      name,
      aliases,
      state,
      isDefault: name === context.models.defaultModel,
      created: createdSeconds,
    })),
  });

  return {
    generate: calls.unary(generate),
    generateStream: calls.stream(generateStream),
    chat: calls.unary(chat),
    chatStream: calls.stream(chatStream),
    embed: calls.unary(embed),
    tokenize: calls.unary(tokenize),
    detokenize: calls.unary(detokenize),
    listModels: calls.unary(listModels),
  } as UntypedServiceImplementation;
}

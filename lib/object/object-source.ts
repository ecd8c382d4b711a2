import type { ChatHost } from '../chat/turn.js';
import { runTurn } from '../chat/turn.js';
import type { ChatPart } from '../chat/types.js';
import { toSchemaText } from '../generate/check-json-schema.js';
import { ItemStream } from '../generate/item-stream.js';
import type { GenerationResult } from '../generate/types.js';
import type { ObjectRequest } from './object-request.js';

/** What a model wrote for an answer in a form. */
export interface WrittenAnswer {
  readonly text: string;
  readonly reasoning: string;
  readonly generated: GenerationResult;
}

/** An answer that is being written. */
export type ObjectSource = ItemStream<ChatPart, WrittenAnswer>;

/** The form holds from the first character on, whatever the template makes of it. */
function writeAtOnce(host: ChatHost, { prompt, generate }: ObjectRequest): ObjectSource {
  const generation = host.generateRendered(host.renderPrompt(prompt), generate);
  const source: ObjectSource = new ItemStream(() => generation.cancel());
  const read = async () => {
    for await (const { text } of generation) source.push({ type: 'text', text });
    const generated = await generation.result;
    source.finish({ text: generated.text, reasoning: '', generated });
  };
  read().catch((error: unknown) => source.fail(error));
  return source;
}

/** The template's own grammar and parser tell the thoughts from the JSON behind them. */
function writeThoughtsFirst(host: ChatHost, { prompt, generate }: ObjectRequest): ObjectSource {
  const { jsonSchema = {}, ...others } = generate;
  let cancel = () => {};
  const source: ObjectSource = new ItemStream(() => cancel());
  const turn = runTurn(host, {
    prompt: { ...prompt, jsonSchema: toSchemaText(jsonSchema) },
    generate: others,
    emit: (part) => source.push(part),
    onStart: (stop) => {
      cancel = stop;
    },
  });
  turn.then(
    ({ answer: { text, reasoning }, generation: generated }) => source.finish({ text, reasoning, generated }),
    (error: unknown) => source.fail(error),
  );
  return source;
}

/** Has a model write an answer in a form. */
export function writeAnswer(host: ChatHost, request: ObjectRequest): ObjectSource {
  const thinks = request.prompt.enableThinking === true && request.generate.jsonSchema !== undefined;
  return thinks ? writeThoughtsFirst(host, request) : writeAtOnce(host, request);
}

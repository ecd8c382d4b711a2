import Type, { type Static } from 'typebox';
import type { ServerContext } from '../context.js';
import { invalidField, RequestError } from '../failures.js';
import type { ServedLoadOptions, ServedModel } from './types.js';

/**
 * Options that administrators may set from afar. Not among them is what names files, programs or other hosts: adapters,
 * `execPath`, directories and addresses belong to whoever starts the server.
 */
const LoadOptions = Type.Object(
  {
    context_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 0x7fffffff })),
    sequences: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
    batch_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
    threads: Type.Optional(Type.Integer({ minimum: 1, maximum: 512 })),
    gpu_layers: Type.Optional(
      Type.Union([Type.Literal('max'), Type.Integer({ minimum: 0, maximum: 100_000 })]),
    ),
    key_type: Type.Optional(
      Type.Union([Type.Literal('f32'), Type.Literal('f16'), Type.Literal('q8_0'), Type.Literal('q4_0')]),
    ),
    value_type: Type.Optional(
      Type.Union([Type.Literal('f32'), Type.Literal('f16'), Type.Literal('q8_0'), Type.Literal('q4_0')]),
    ),
  },
  { additionalProperties: false, description: 'As of loadModel. Default: those of the server.' },
);

const name = Type.String({ minLength: 1, maxLength: 200 });

/** Body of `POST /models/load`. */
export const LoadRequest = Type.Object(
  {
    model: Type.Optional(Type.String({ description: 'A model that the server knows, by name or alias.' })),
    source: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description:
          'One that it does not know: a path, hf:owner/repo or an https URL. Needs `allowSources`.',
      }),
    ),
    name: Type.Optional(name),
    aliases: Type.Optional(Type.Array(name, { maxItems: 20 })),
    pinned: Type.Optional(Type.Boolean()),
    options: Type.Optional(LoadOptions),
    stream: Type.Optional(Type.Boolean({ description: 'Tell the progress as events.' })),
  },
  { additionalProperties: false },
);

/** Body of `POST /models/unload`. */
export const UnloadRequest = Type.Object({ model: Type.String() }, { additionalProperties: false });

function toLoadOptions(options: Static<typeof LoadOptions> = {}): ServedLoadOptions {
  const { context_size, sequences, batch_size, threads, gpu_layers, key_type, value_type } = options;
  return {
    ...(context_size !== undefined && { contextSize: context_size }),
    ...(sequences !== undefined && { sequences }),
    ...(batch_size !== undefined && { batchSize: batch_size }),
    ...(threads !== undefined && { threads }),
    ...(gpu_layers !== undefined && { gpuLayers: gpu_layers }),
    ...(key_type !== undefined && { keyType: key_type }),
    ...(value_type !== undefined && { valueType: value_type }),
  };
}

/** What a request to load says of a model that is known already can only be its name. */
function checkKnown({ name, aliases, pinned, options }: Static<typeof LoadRequest>): void {
  for (const [param, value] of Object.entries({ name, aliases, pinned, options })) {
    if (value === undefined) continue;
    throw invalidField(param, `\`${param}\` goes with \`source\`; a model that is known has its own.`);
  }
}

/**
 * The model that a request wants loaded; one that is named by its source is added.
 * @returns it, and whether it was added just now.
 * @throws RequestError if there is none, or it may not be named that way.
 */
export function findOrAdd(
  { models, settings }: ServerContext,
  request: Static<typeof LoadRequest>,
): { served: ServedModel; isNew: boolean } {
  const { model, source, name, aliases, pinned, options } = request;
  if (source === undefined) {
    if (model === undefined) throw invalidField('model', 'Expected `model` or `source`; received neither.');
    checkKnown(request);
    return { served: models.find(model), isNew: false };
  }
  if (model !== undefined) throw invalidField('model', 'Expected `model` or `source`; received both.');
  if (!settings.allowSources) {
    const message =
      'This server loads only the models that it was started with. Start it with `allowSources` (--allow-sources) to load others.';
    throw new RequestError('forbidden', 'sources_not_allowed', message, { param: 'source' });
  }
  const before = new Set(models.list());
  const served = models.add({
    source,
    ...(name !== undefined && { name }),
    ...(aliases !== undefined && { aliases }),
    ...(pinned !== undefined && { pinned }),
    load: toLoadOptions(options),
  });
  return { served, isNew: !before.has(served) };
}

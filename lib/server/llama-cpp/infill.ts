import Type, { type Static } from 'typebox';
import type { Model } from '../../index.js';
import { RequestError } from '../failures.js';
import { CompletionFields } from './completion-request.js';
import type { ReadPrompts } from './prompts.js';

const ExtraContext = Type.Object({
  text: Type.String(),
  filename: Type.Optional(Type.String()),
});

/** The body of `POST /infill`. */
export const InfillRequest = Type.Object({
  input_prefix: Type.String({ description: 'The code before the cursor.' }),
  input_suffix: Type.String({ description: 'The code behind the cursor.' }),
  input_extra: Type.Optional(Type.Array(ExtraContext, { description: 'Other files, or parts of them.' })),
  prompt: Type.Optional(Type.String({ description: 'What the inserted code begins with.' })),
  ...CompletionFields,
});

type Role = 'prefix' | 'suffix' | 'middle' | 'repository' | 'file';

/** Keys of a model's file that name a token, newest first. */
const keys: Readonly<Record<Role, readonly string[]>> = {
  prefix: ['tokenizer.ggml.fim_pre_token_id', 'tokenizer.ggml.prefix_token_id'],
  suffix: ['tokenizer.ggml.fim_suf_token_id', 'tokenizer.ggml.suffix_token_id'],
  middle: ['tokenizer.ggml.fim_mid_token_id', 'tokenizer.ggml.middle_token_id'],
  repository: ['tokenizer.ggml.fim_rep_token_id'],
  file: ['tokenizer.ggml.fim_sep_token_id'],
};

/** How families of models spell these tokens, for files that do not name them. */
const spellings: Readonly<Record<Role, readonly string[]>> = {
  prefix: [
    '<|fim_prefix|>',
    '<fim-prefix>',
    '<fim_prefix>',
    '<｜fim▁begin｜>',
    '<PRE>',
    '<|code_prefix|>',
    '<|prefix|>',
  ],
  suffix: [
    '<|fim_suffix|>',
    '<fim-suffix>',
    '<fim_suffix>',
    '<｜fim▁hole｜>',
    '<SUF>',
    '<|code_suffix|>',
    '<|suffix|>',
  ],
  middle: [
    '<|fim_middle|>',
    '<fim-middle>',
    '<fim_middle>',
    '<｜fim▁end｜>',
    '<MID>',
    '<|code_middle|>',
    '<|middle|>',
  ],
  repository: ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>'],
  file: ['<|file_sep|>'],
};

async function findToken(model: Model, role: Role): Promise<number | undefined> {
  for (const key of keys[role]) {
    const id = Number(model.metadata.keys[key]);
    if (Number.isInteger(id) && id >= 0 && id < model.metadata.vocabularySize) return id;
  }
  const lists = await model.tokenize(spellings[role], { addSpecial: false, parseSpecial: true });
  return lists.find(({ length }) => length === 1)?.[0];
}

/** The tokens that tell a model where to fill in. */
interface InfillTokens {
  readonly prefix: number;
  readonly suffix: number;
  readonly middle: number;
  readonly repository: number | undefined;
  readonly file: number | undefined;
}

async function findInfillTokens(model: Model): Promise<InfillTokens> {
  const [prefix, suffix, middle, repository, file] = await Promise.all(
    (['prefix', 'suffix', 'middle', 'repository', 'file'] as const).map((role) => findToken(model, role)),
  );
  if (prefix !== undefined && suffix !== undefined && middle !== undefined) {
    return { prefix, suffix, middle, repository, file };
  }
  const message =
    'This model has no tokens for a prefix, a suffix and what is between them, so it cannot fill in. Use a model for code that was trained to.';
  throw new RequestError('invalid-request', 'not_supported', message, { status: 501 });
}

/** Tokens of the prompt that are left for code once the answer has its room. */
function roomFor(model: Model, limit: number | null | undefined): number {
  const answer = typeof limit === 'number' && limit > 0 ? limit : 128;
  return Math.max(16, model.contextSize - answer - 16);
}

/**
 * The prompt of an infill: files of the repository, then what is before and behind the cursor. What is furthest from the
 * cursor is left out where the context is too small, three parts before the cursor for one behind it.
 * @throws RequestError 501 for models that cannot fill in.
 */
export async function readInfillPrompt(
  model: Model,
  request: Static<typeof InfillRequest>,
): Promise<ReadPrompts> {
  const marks = await findInfillTokens(model);
  const { input_prefix: before, input_suffix: behind, input_extra: extra = [], prompt = '' } = request;
  const heads = extra.map(({ filename = 'tmp' }) => `${filename}\n`);
  const separator = '\n\n--- snippet ---\n\n';
  const texts = [
    before,
    behind,
    prompt,
    'myproject\n',
    'filename\n',
    separator,
    ...heads,
    ...extra.map(({ text }) => text),
  ];
  const lists = await model.tokenize(texts, { addSpecial: false, parseSpecial: false });
  const [prefix, suffix, begin, repository, file, snippet, ...others] = lists.map((list) => [...list]);
  const room = roomFor(model, request.n_predict) - (begin?.length ?? 0) - 4;
  const suffixRoom = Math.max(Math.floor(room / 4), room - (prefix?.length ?? 0));
  const keptSuffix = suffix?.slice(0, suffixRoom) ?? [];
  const keptPrefix = takeLast(prefix ?? [], room - keptSuffix.length);
  const chunks = extra.flatMap((_, index) => [
    ...(marks.file === undefined ? (snippet ?? []) : [marks.file, ...(others[index] ?? [])]),
    ...(others[extra.length + index] ?? []),
  ]);
  const context = [
    ...(marks.repository === undefined ? [] : [marks.repository, ...(repository ?? [])]),
    ...chunks,
    ...(marks.file === undefined ? [] : [marks.file, ...(file ?? [])]),
  ];
  const first = await model.tokenize('', { addSpecial: true });
  const tokens = Int32Array.from([
    ...first,
    ...takeLast(context, room - keptPrefix.length - keptSuffix.length - first.length),
    marks.prefix,
    ...keptPrefix,
    marks.suffix,
    ...keptSuffix,
    marks.middle,
    ...(begin ?? []),
  ]);
  return { tokens: [tokens], areSeveral: false };
}

function takeLast(tokens: readonly number[], count: number): readonly number[] {
  return count <= 0 ? [] : tokens.slice(-count);
}

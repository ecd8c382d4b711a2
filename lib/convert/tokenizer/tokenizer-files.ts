import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidCheckpoint, isJsonObject, type JsonObject, readJsonFile } from '../checkpoint/index.js';
import type { ModelConfig } from '../config/model-config.js';
import { readSentencePieces, type SentencePiece } from './sentencepiece-model.js';
import { readTokenizerModel, type TokenizerModel } from './tokenizer-model.js';

/** A chat template, or several with names. */
export type ChatTemplate = string | readonly { readonly name: string; readonly template: string }[];

/** Everything in a folder that concerns the vocabulary. */
export class TokenizerFiles {
  readonly folder: string;
  /** tokenizer.json as it is. */
  readonly json: JsonObject | undefined;
  /** What it says of tokens. */
  readonly model: TokenizerModel | undefined;
  /** Pieces of tokenizer.model. */
  readonly pieces: readonly SentencePiece[] | undefined;
  /** tokenizer_config.json. */
  readonly config: JsonObject | undefined;
  /** Ids of added_tokens.json. */
  readonly addedIds: ReadonlyMap<string, number>;
  /** Of files of their own; tokenizer_config.json may hold another one. */
  readonly chatTemplate: ChatTemplate | undefined;
  /** Lines of merges.txt. */
  readonly mergeLines: readonly string[];
  /** config.json as it is. */
  readonly modelConfig: JsonObject;

  private constructor(files: Omit<TokenizerFiles, 'gemma3TokenCount' | 'requireModel'>) {
    this.folder = files.folder;
    this.json = files.json;
    this.model = files.model;
    this.pieces = files.pieces;
    this.config = files.config;
    this.addedIds = files.addedIds;
    this.chatTemplate = files.chatTemplate;
    this.mergeLines = files.mergeLines;
    this.modelConfig = files.modelConfig;
  }

  /** Reads what is there. */
  static async read(folder: string, modelConfig: JsonObject): Promise<TokenizerFiles> {
    const path = join(folder, 'tokenizer.json');
    const json = await readJsonFile(path);
    const pieceBytes = await readIfThere(join(folder, 'tokenizer.model'));
    const added = (await readJsonFile(join(folder, 'added_tokens.json'))) ?? {};
    return new TokenizerFiles({
      folder,
      json,
      model: json === undefined ? undefined : readTokenizerModel(path, json),
      pieces:
        pieceBytes === undefined
          ? undefined
          : readSentencePieces(join(folder, 'tokenizer.model'), pieceBytes),
      config: await readJsonFile(join(folder, 'tokenizer_config.json')),
      addedIds: new Map(
        Object.entries(added).filter((entry): entry is [string, number] => Number.isInteger(entry[1])),
      ),
      chatTemplate: await readChatTemplate(folder),
      mergeLines: ((await readIfThere(join(folder, 'merges.txt')))?.toString('utf8') ?? '').split('\n'),
      modelConfig,
    });
  }

  /** What tokenizer.json says, which must be there. */
  requireModel(): { model: TokenizerModel; json: JsonObject } {
    if (this.model !== undefined && this.json !== undefined) return { model: this.model, json: this.json };
    throw invalidCheckpoint(this.folder, 'expected a file tokenizer.json; found none. Download it too.');
  }

  /** How many rows of the embeddings of Gemma 3 belong to tokens. */
  gemma3TokenCount(config: ModelConfig): number {
    if (this.pieces !== undefined) return config.count('vocab_size') ?? this.pieces.length;
    const { model } = this.requireModel();
    return model.vocabulary.size + model.addedTokens.length;
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(() => undefined);
}

async function readChatTemplate(folder: string): Promise<ChatTemplate | undefined> {
  const template = (await readIfThere(join(folder, 'chat_template.jinja')))?.toString('utf8');
  if (template === undefined) {
    const stored = (await readJsonFile(join(folder, 'chat_template.json')))?.chat_template;
    return readTemplates(stored);
  }
  const more = join(folder, 'additional_chat_templates');
  const names = (await readdir(more).catch(() => [])).filter((name) => name.endsWith('.jinja'));
  if (names.length === 0) return template;
  const others = await Promise.all(
    names.map(async (name) => ({
      name: name.slice(0, -'.jinja'.length),
      template: (await readFile(join(more, name))).toString('utf8'),
    })),
  );
  return [{ name: 'default', template }, ...others];
}

/** A template or a list of them, as JSON has it; undefined for anything else. */
export function readTemplates(value: unknown): ChatTemplate | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  return value.filter(
    (entry): entry is { name: string; template: string } =>
      isJsonObject(entry) && typeof entry.name === 'string' && typeof entry.template === 'string',
  );
}

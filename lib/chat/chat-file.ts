import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { SavedPrefix } from '../engine/engine.js';
import { createError, type LlamaNativeError } from '../errors.js';
import { checkMessages } from './check-messages.js';
import type { ChatMessage } from './types.js';

/** What a file of a conversation holds. */
export interface SavedChat {
  /** Which model made it; see {@link ChatFileModel}. */
  readonly model: ChatFileModel;
  /** Messages that `reset` goes back to. */
  readonly first: readonly ChatMessage[];
  readonly history: readonly ChatMessage[];
  /** The part of the KV cache; missing if nothing of the conversation was cached. */
  readonly prefix?: SavedPrefix;
}

/** What tells one model from another. */
export interface ChatFileModel {
  readonly description: string;
  readonly parameterCount: number;
  readonly sizeBytes: number;
  readonly vocabularySize: number;
  /** Tells its adapters from others; missing for none. They decide only whether the cached part can be used. */
  readonly adapters?: string;
}

// The file: magic with the format's version, the length of a JSON header, the header, tokens (32 bits each), the
// state, and the SHA-256 of everything before it. Numbers are little-endian.
const magic = Buffer.from('LNCHAT01');
const hashLength = 32;

interface Header {
  readonly model: ChatFileModel;
  readonly first: readonly ChatMessage[];
  readonly history: readonly ChatMessage[];
  readonly tokenCount: number;
  readonly stateLength: number;
}

function invalid(path: string, reason: string, cause?: unknown): LlamaNativeError {
  const message = `${path} cannot be restored: ${reason} Begin a new conversation, or restore another file.`;
  return createError('STATE_INVALID', message, { cause, details: { path } });
}

function accessFailed(action: string, path: string, error: unknown): LlamaNativeError {
  const reason = error instanceof Error ? error.message : String(error);
  return createError('FILE_ACCESS_FAILED', `${path} could not be ${action}: ${reason}`, {
    cause: error,
    details: { path },
  });
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

/** Writes a conversation; a file that was there is replaced only once the new one is whole. */
export async function writeChatFile(path: string, chat: SavedChat): Promise<void> {
  const { model, first, history, prefix } = chat;
  const tokens = prefix?.tokens ?? new Int32Array();
  const state = prefix?.state ?? new Uint8Array();
  const header: Header = { model, first, history, tokenCount: tokens.length, stateLength: state.length };
  const headerBytes = Buffer.from(JSON.stringify(header));
  const lengthBytes = Buffer.alloc(4);
  lengthBytes.writeUInt32LE(headerBytes.length);
  const tokenBytes = Buffer.alloc(tokens.length * 4);
  tokens.forEach((token, index) => {
    tokenBytes.writeInt32LE(token, index * 4);
  });
  const body = Buffer.concat([magic, lengthBytes, headerBytes, tokenBytes, state]);
  const temporary = `${path}.${randomUUID()}.incomplete`;
  try {
    await writeFile(temporary, Buffer.concat([body, sha256(body)]));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw accessFailed('written', path, error);
  }
}

/**
 * Reads a conversation.
 * @throws LlamaNativeError FILE_ACCESS_FAILED.
 * @throws ContextError STATE_INVALID if a byte of it was changed, or if it is another kind of file.
 */
export async function readChatFile(path: string): Promise<SavedChat> {
  const file = await readFile(path).catch((error: unknown) => {
    throw accessFailed('read', path, error);
  });
  const smallest = magic.length + 4 + hashLength;
  if (file.length < smallest || !file.subarray(0, magic.length).equals(magic)) {
    throw invalid(path, 'it is not a conversation saved by this version of llama-native.');
  }
  const body = file.subarray(0, file.length - hashLength);
  if (!sha256(body).equals(file.subarray(body.length))) throw invalid(path, 'its bytes are damaged.');
  try {
    return parseBody(body);
  } catch (error) {
    throw invalid(path, 'its content is not that of a conversation.', error);
  }
}

function parseBody(body: Buffer): SavedChat {
  const headerBegin = magic.length + 4;
  const headerEnd = headerBegin + body.readUInt32LE(magic.length);
  const header = JSON.parse(body.toString('utf8', headerBegin, headerEnd)) as Header;
  const { model, first, history, tokenCount, stateLength } = header;
  checkMessages(first);
  checkMessages(history);
  const stateBegin = headerEnd + tokenCount * 4;
  if (stateBegin + stateLength !== body.length) throw new RangeError('The lengths do not add up.');
  if (tokenCount === 0) return { model, first, history };
  const tokens = Int32Array.from({ length: tokenCount }, (_, index) =>
    body.readInt32LE(headerEnd + index * 4),
  );
  return { model, first, history, prefix: { tokens, state: new Uint8Array(body.subarray(stateBegin)) } };
}

/** Refuses a conversation of another model: its cached part would be noise. */
export function checkSameModel(path: string, saved: ChatFileModel, loaded: ChatFileModel): void {
  const keys = ['description', 'parameterCount', 'sizeBytes', 'vocabularySize'] as const;
  if (keys.every((key) => saved[key] === loaded[key])) return;
  throw invalid(
    path,
    `it was made with ${saved.description}, and the loaded model is ${loaded.description}.`,
  );
}

import { RequestError } from '../failures.js';
import { type JsonObject, readArray, readObject, readText } from '../openai/checks.js';

/** A block of content, and what a client calls it. */
export interface PlacedBlock {
  readonly block: JsonObject;
  /** Such as `messages[0].content[1]`. */
  readonly param: string;
}

/** The error of a block that no model here can take. */
export function unsupportedBlock(param: string, type: unknown, expected: string): RequestError {
  const message = `Expected ${expected} for ${param}; received ${JSON.stringify(type) ?? 'a block without a type'}. Images, PDF files and the tools of Anthropic's own servers are not supported. Send text.`;
  return new RequestError('invalid-request', 'unsupported_content', message, { param });
}

/**
 * Content as blocks: a text is one block of type text.
 * @throws RequestError 400 naming the field.
 */
export function readBlocks(content: unknown, param: string): PlacedBlock[] {
  if (typeof content === 'string') return [{ block: { type: 'text', text: content }, param }];
  return readArray(content, param, 'a string or an array of blocks').map((item, index) => {
    const name = `${param}[${index}]`;
    return { block: readObject(item, name, 'a block such as {"type":"text","text":"…"}'), param: name };
  });
}

function titled(block: JsonObject, texts: readonly string[]): string {
  const heads = [block.title, block.source, block.context].filter((head) => typeof head === 'string');
  return [...heads, ...texts].join('\n');
}

function textOfDocument({ block, param }: PlacedBlock): string {
  const source = readObject(block.source, `${param}.source`);
  if (source.type === 'text') return titled(block, [readText(source.data, `${param}.source.data`)]);
  if (source.type === 'content') {
    return titled(block, readBlocks(source.content, `${param}.source.content`).map(textOfBlock));
  }
  throw unsupportedBlock(`${param}.source.type`, source.type, '"text" or "content"');
}

/**
 * The text of a block that is text, or has some inside: a document of plain text, a result of a search.
 * @throws RequestError 400 for any other.
 */
export function textOfBlock(placed: PlacedBlock): string {
  const { block, param } = placed;
  switch (block.type) {
    case 'text':
      return readText(block.text, `${param}.text`);
    case 'document':
      return textOfDocument(placed);
    case 'search_result':
      return titled(block, readBlocks(block.content, `${param}.content`).map(textOfBlock));
    default:
      throw unsupportedBlock(`${param}.type`, block.type, 'text');
  }
}

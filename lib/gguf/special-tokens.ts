import type { GgufMetadata } from './summary.js';
import { isTemplateMark } from './template-marks.js';

/** `LLAMA_TOKEN_TYPE_*` in llama.h. */
const tokenTypes = { unknown: 2, control: 3, userDefined: 4 } as const;

/** What llama.cpp takes for user-defined, whatever a file says. Source: `llama_vocab::impl::load`. */
const alwaysUserDefined = ['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>'];

/** Ends of answers, which llama.cpp takes for control tokens whatever a file says. Source: as above. */
const alwaysControl = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|flush|>',
  '<|calls|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '</s>',
  '<|eom_id|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '[EOS]',
  '<|end_of_text|>',
  '<end_of_utterance>',
  '<eos>',
  '<turn|>',
  '<|tool_response>',
  '<｜end▁of▁sentence｜>',
  '[e~[',
];

/** How the texts of a vocabulary's special tokens are kept apart from what the users of a chat write. */
export interface SpecialTokens {
  /**
   * Control tokens, and user-defined ones that are marks as well: chats read their texts as plain text where a user, a
   * tool or a caller wrote them.
   */
  readonly covered: readonly string[];
  /** Tokens whose texts are found in any text: those for plain text, such as white space, and single characters. */
  readonly uncovered: readonly string[];
  /** Control tokens of one character that the chat template writes: whoever writes them writes as the template does. */
  readonly uncoveredInTemplate: readonly string[];
}

/** `<|end|>` ends a message of gpt-oss and Solar, where others end the answer; llama.cpp then makes it user-defined. */
function isPartOfAnswer(text: string, texts: ReadonlySet<string>): boolean {
  if (text !== '<|end|>') return false;
  const hasCall = texts.has('<|call|>') || texts.has('<|calls|>');
  return hasCall && (texts.has('<|return|>') || texts.has('<|flush|>'));
}

/**
 * Tells which texts a model reads as special tokens, and which of them chats keep apart; see docs/chat.md. Undefined for
 * a file that has no types of tokens.
 */
export function findSpecialTokens({
  metadata,
  chatTemplate = '',
}: Pick<GgufMetadata, 'metadata' | 'chatTemplate'>): SpecialTokens | undefined {
  const tokens = metadata.get('tokenizer.ggml.tokens');
  const types = metadata.get('tokenizer.ggml.token_type');
  if (tokens?.type !== 'array' || tokens.elementType !== 'string') return undefined;
  if (types?.type !== 'array' || types.elementType !== 'int32') return undefined;
  const typeOf = new Map<string, number>();
  const ends = new Set(alwaysControl.map((text) => Buffer.from(text).toString('latin1')));
  for (const [index, type] of types.value.entries()) {
    const isEnd = ends.has(tokens.value.latin1At(index) ?? '');
    const isSpecial = isEnd || Object.values<number>(tokenTypes).includes(type);
    const text = isSpecial ? tokens.value.at(index) : undefined;
    if (text !== undefined && text !== '') typeOf.set(text, isEnd ? tokenTypes.control : type);
  }
  // Gemma 4's tool answers are no end of a sequence, and beside them llama.cpp takes the end of others for a word.
  if (typeOf.has('<|tool_response>')) typeOf.delete('</s>');
  const texts = new Set(typeOf.keys());
  const isUserDefined = (text: string) =>
    typeOf.get(text) === tokenTypes.userDefined ||
    alwaysUserDefined.includes(text) ||
    isPartOfAnswer(text, texts);
  const isCovered = (text: string) =>
    text.length > 1 && (!isUserDefined(text) || isTemplateMark(text, chatTemplate));
  const uncovered = [...texts].filter((text) => !isCovered(text));
  return {
    covered: [...texts].filter(isCovered),
    uncovered,
    uncoveredInTemplate: uncovered.filter((text) => !isUserDefined(text) && chatTemplate.includes(text)),
  };
}

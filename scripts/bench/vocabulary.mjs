// A complete byte-level BPE vocabulary of any size, in the layout of Qwen2.5's: ordinary tokens, then the control
// tokens, then padding. Every text can be tokenized; only few merges exist, so text takes more tokens than with a
// trained vocabulary.

/** `LLAMA_TOKEN_TYPE_*` in llama.h. */
const tokenTypes = { normal: 1, control: 3, unused: 5 };

/** Tokens before the padding in Qwen2.5's vocabulary, control tokens included. */
const controlTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
const paddingTokens = 271;

const alphabet = 'etaoinshrdlucmfwypvbgkqjxz';

const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/**
 * The characters that stand for the 256 bytes in a byte-level vocabulary: printable ones for themselves, the others
 * moved up from 256 on. Source: `bytes_to_unicode` of GPT-2.
 */
export function byteCharacters() {
  const isPrintable = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
}

/** Endless different words of three letters and more. */
function* words() {
  for (let length = 3; ; length++) {
    for (let number = 0; number < alphabet.length ** length; number++) {
      let word = '';
      for (let rest = number, place = 0; place < length; place++) {
        word += alphabet[rest % alphabet.length];
        rest = Math.floor(rest / alphabet.length);
      }
      yield word;
    }
  }
}

/**
 * Tokens, their types and the merges of a vocabulary.
 *
 * @param {number} size tokens in all
 */
export function createVocabulary(size) {
  const space = 'Ġ'; // a space, as the byte characters write it
  const letters = [...alphabet];
  const pairs = [
    ...letters.map((letter) => [space, letter]),
    ...letters.flatMap((first) => letters.map((second) => [first, second])),
  ];
  const tokens = [...byteCharacters(), ...pairs.map((pair) => pair.join(''))];
  const ordinary = size - controlTokens.length - paddingTokens;
  if (ordinary < tokens.length) throw new RangeError(`a vocabulary of ${size} tokens is too small`);
  for (const word of words()) {
    if (tokens.length >= ordinary) break;
    tokens.push(tokens.length % 2 === 0 ? space + word : word);
  }
  const types = tokens.map(() => tokenTypes.normal);
  for (const token of controlTokens) {
    tokens.push(token);
    types.push(tokenTypes.control);
  }
  for (let index = 0; index < paddingTokens; index++) {
    tokens.push(`[PAD${index}]`);
    types.push(tokenTypes.unused);
  }
  return { tokens, types, merges: pairs.map((pair) => pair.join(' ')), ordinary };
}

/** The vocabulary as metadata of a GGUF file. */
export function vocabularyMetadata(size) {
  const { tokens, types, merges, ordinary } = createVocabulary(size);
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'qwen2' },
    'tokenizer.ggml.tokens': { type: 'array', elementType: 'string', value: tokens },
    'tokenizer.ggml.token_type': { type: 'array', elementType: 'int32', value: types },
    'tokenizer.ggml.merges': { type: 'array', elementType: 'string', value: merges },
    'tokenizer.ggml.eos_token_id': { type: 'uint32', value: ordinary + 2 },
    'tokenizer.ggml.padding_token_id': { type: 'uint32', value: ordinary },
    'tokenizer.ggml.bos_token_id': { type: 'uint32', value: ordinary },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
    'tokenizer.chat_template': { type: 'string', value: chatTemplate },
  };
}

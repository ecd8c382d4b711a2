/** Small tokenizers in the forms that model families have. */

/** Files by name: objects become JSON. */
export type Files = Readonly<Record<string, unknown>>;

const byteCharacters = Array.from({ length: 256 }, (_, byte) => byteCharacter(byte));

function byteCharacter(byte: number): string {
  const isVisible = (value: number) => (value >= 0x21 && value <= 0x7e) || (value >= 0xa1 && value !== 0xad);
  if (isVisible(byte)) return String.fromCodePoint(byte);
  let next = 256;
  for (let other = 0; other < byte; other++) if (!isVisible(other)) next++;
  return String.fromCodePoint(next);
}

export const llama3Pattern = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
export const qwen2Pattern = llama3Pattern.replace('\\p{N}{1,3}', '\\p{N}');

const merges: [string, string][] = [
  ['Ġ', 't'],
  ['h', 'e'],
  ['Ġt', 'he'],
  ['i', 'n'],
  ['r', 'e'],
  ['ð', 'Ł'],
  ['ðŁ', 'ĺ'],
  ['Ċ', 'Ċ'],
  ['Ġ', 'Ġ'],
  ['3', '3'],
  ['=', '='],
];

const splitBy = (pattern: string) => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
});

const ways = {
  qwen2: splitBy(qwen2Pattern),
  'llama-bpe': splitBy(llama3Pattern),
  smollm: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    ],
  },
  'gpt-2': { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
};

/** A byte-level tokenizer with merges. */
export function mergesTokenizer(way: keyof typeof ways, begins = false): Files {
  const tokens = [...byteCharacters, ...merges.map((pair) => pair.join(''))];
  const added = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '你好 world'].map(
    (content, index) => ({
      id: tokens.length + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: index < 3,
    }),
  );
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<|im_start|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [
      { SpecialToken: { id: '<|im_start|>', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '<|im_start|>', type_id: 1 } },
      { Sequence: { id: 'B', type_id: 1 } },
    ],
    special_tokens: {
      '<|im_start|>': { id: '<|im_start|>', ids: [tokens.length + 1], tokens: ['<|im_start|>'] },
    },
  };
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: way === 'qwen2' ? { type: 'NFC' } : null,
      pre_tokenizer: ways[way],
      post_processor: begins ? template : { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: way === 'llama-bpe',
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: way === 'qwen2' ? merges : merges.map((pair) => pair.join(' ')),
      },
    },
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: '<|im_start|>',
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      clean_up_tokenization_spaces: false,
      chat_template: '{% for message in messages %}<|im_start|>{{ message.content }} 你好{% endfor %}',
    },
  };
}

/** Number of tokens of {@link mergesTokenizer}. */
export const mergesTokenCount = 256 + merges.length + 5;

const scoredPieces = ['▁', '▁the', '▁t', 'he', '▁你好', 'a', 'e', 'h', 't', 'é'];

/** Pieces, scores and types of a SentencePiece model in the order of Llama's. */
function sentencePieces(): [text: string, score: number, type: number][] {
  const bytes = Array.from({ length: 256 }, (_, byte): [string, number, number] => [
    `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    0,
    6,
  ]);
  return [
    ['<unk>', 0, 2],
    ['<s>', 0, 3],
    ['</s>', 0, 3],
    ...bytes,
    ...scoredPieces.map((text, index): [string, number, number] => [text, -index - 0.1, 1]),
    ['[@BOS@]', 0, 4],
  ];
}

/** Number of tokens of {@link sentencePieceTokenizer}. */
export const sentencePieceCount = 3 + 256 + scoredPieces.length + 1;

/** A tokenizer.model, and what stands beside it. */
export function sentencePieceTokenizer(): Files {
  const pieces = sentencePieces().map(([text, score, type]) => {
    const number = Buffer.alloc(4);
    number.writeFloatLE(score);
    return field(
      1,
      Buffer.concat([field(1, Buffer.from(text)), Buffer.from([0x15]), number, variable(3, type)]),
    );
  });
  const trainer = Buffer.concat([
    variable(3, 2),
    variable(4, sentencePieceCount),
    variable(35, 1),
    variable(40, 0),
    variable(41, 1),
    variable(42, 2),
  ]);
  return {
    'tokenizer.model': Buffer.concat([
      ...pieces,
      field(2, trainer),
      field(3, Buffer.concat([field(1, Buffer.from('identity')), variable(3, 1), variable(4, 0)])),
    ]),
    'tokenizer_config.json': {
      tokenizer_class: 'LlamaTokenizer',
      add_bos_token: true,
      add_eos_token: false,
      add_prefix_space: true,
      bos_token: { content: '<s>', lstrip: false },
      eos_token: '</s>',
      unk_token: '<unk>',
      added_tokens_decoder: {
        '0': { content: '<unk>', special: true },
        '1': { content: '<s>', special: true },
        '2': { content: '</s>', special: true },
        [String(sentencePieceCount - 1)]: { content: '[@BOS@]', special: false },
        [String(sentencePieceCount)]: { content: '<unused0>', special: false },
        [String(sentencePieceCount + 1)]: { content: '▁▁user', special: false },
      },
      chat_template: [
        { name: 'default', template: '{{ bos_token }}{{ messages[0].content }}' },
        { name: 'tool use', template: '{{ tools }}' },
      ],
    },
  };
}

function variable(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)]);
}

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...bytes, rest]);
}

/** The same pieces as a tokenizer.json, as where tokenizer.model is missing. */
export function sentencePieceJson(): Files {
  const texts = sentencePieces().map(([text]) => text);
  const added = ['<unk>', '<s>', '</s>', '<extra>', '<pad>'].map((content, index) => ({
    id: index < 3 ? index : texts.length + index - 3,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: index !== 3,
  }));
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: '▁' },
          { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        ],
      },
      pre_tokenizer: null,
      post_processor: null,
      decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: '<unk>',
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: true,
        byte_fallback: true,
        ignore_merges: false,
        vocab: Object.fromEntries(texts.map((token, id) => [token, id])),
        merges: ['▁ t', 'h e', '▁t he'],
      },
    },
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
      pad_token: '<pad>',
    },
  };
}

const words = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  '[MASK]',
  'the',
  'a',
  'p',
  '##p',
  '##le',
  '在',
  '3',
  '##3',
  '.',
  '!',
];

/** Number of tokens of {@link wordPieceTokenizer}. */
export const wordPieceCount = words.length;

/** A tokenizer of BERT. */
export function wordPieceTokenizer(): Files {
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: special.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: true,
        strip_accents: null,
        lowercase: true,
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [token('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, token('[SEP]')],
        pair: [
          token('[CLS]'),
          { Sequence: { id: 'A', type_id: 0 } },
          token('[SEP]'),
          { Sequence: { id: 'B', type_id: 1 } },
          token('[SEP]'),
        ],
        special_tokens: {
          '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
          '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
        },
      },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      },
    },
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      cls_token: '[CLS]',
      sep_token: '[SEP]',
      unk_token: '[UNK]',
      pad_token: '[PAD]',
      mask_token: '[MASK]',
    },
  };
}

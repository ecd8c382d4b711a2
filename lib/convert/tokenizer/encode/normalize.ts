import { isJsonObject } from '../../checkpoint/index.js';
import { readPattern } from './pattern.js';
import { UnknownPart } from './unknown-part.js';

type Normalizer = (text: string) => string;

/** What the normalizer of a tokenizer.json makes of texts. */
export function createNormalizer(normalizer: unknown): Normalizer {
  if (normalizer === undefined || normalizer === null) return (text) => text;
  if (!isJsonObject(normalizer)) throw new UnknownPart('normalizer');
  switch (normalizer.type) {
    case 'Sequence': {
      if (!Array.isArray(normalizer.normalizers)) throw new UnknownPart('normalizer');
      const steps = normalizer.normalizers.map(createNormalizer);
      return (text) => steps.reduce((result, step) => step(result), text);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = normalizer.type;
      return (text) => text.normalize(form);
    }
    case 'Lowercase':
      return (text) => text.toLowerCase();
    case 'StripAccents':
      return (text) => text.replace(/\p{Mn}/gu, '');
    case 'Prepend':
      return (text) => (text === '' ? text : String(normalizer.prepend) + text);
    case 'Replace': {
      const pattern = readPattern(normalizer.pattern);
      const content = String(normalizer.content);
      return (text) => text.replace(pattern, () => content);
    }
    case 'BertNormalizer':
      return bertNormalizer(normalizer);
    default:
      throw new UnknownPart(String(normalizer.type));
  }
}

const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** Source: `BertNormalizer` of the tokenizers library (https://github.com/huggingface/tokenizers). */
function bertNormalizer(options: Readonly<Record<string, unknown>>): Normalizer {
  const lowercase = options.lowercase !== false;
  const stripAccents = options.strip_accents ?? lowercase;
  const steps: Normalizer[] = [];
  if (options.clean_text !== false) {
    // Controls are removed, spaces of any kind become spaces.
    steps.push((text) => text.replace(/(?![\t\n\r])[\p{C}\u{fffd}]/gu, '').replace(/\s/gu, ' '));
  }
  if (options.handle_chinese_chars !== false) steps.push((text) => text.replace(chinese, ' $& '));
  if (stripAccents === true) steps.push((text) => text.normalize('NFD').replace(/\p{Mn}/gu, ''));
  if (lowercase) steps.push((text) => text.toLowerCase());
  return (text) => steps.reduce((result, step) => step(result), text);
}

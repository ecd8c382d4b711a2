/**
 * Bytes as characters that are visible and no spaces, in which byte-level vocabularies are written.
 * Source: `bytes_to_unicode` of GPT-2 (https://github.com/openai/gpt-2).
 */
const characters = Array.from({ length: 256 }, () => '');
let next = 256;
for (let byte = 0; byte < 256; byte++) {
  const isVisible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  characters[byte] = String.fromCodePoint(isVisible ? byte : next++);
}

/** The text whose characters stand for the bytes of another. */
export function toByteCharacters(text: string): string {
  let result = '';
  for (const byte of Buffer.from(text, 'utf8')) result += characters[byte];
  return result;
}

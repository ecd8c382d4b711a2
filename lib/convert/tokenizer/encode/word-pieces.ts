import type { TokenizerModel } from '../tokenizer-model.js';

/** Longer words are unknown. */
const longestWord = 100;

/** Encodes words by taking the longest piece of the vocabulary, from left to right. */
export function createPieceTaker(model: TokenizerModel): (word: string) => number[] {
  const unknown = model.unknownToken === undefined ? undefined : model.vocabulary.get(model.unknownToken);
  return (word) => {
    const characters = [...word];
    const ids = characters.length > longestWord ? undefined : takeAll(characters, model);
    return ids ?? (unknown === undefined ? [] : [unknown]);
  };
}

function takeAll(characters: readonly string[], model: TokenizerModel): number[] | undefined {
  const ids: number[] = [];
  let start = 0;
  while (start < characters.length) {
    let end = characters.length;
    let id: number | undefined;
    for (; end > start && id === undefined; end--) {
      const piece = characters.slice(start, end).join('');
      id = model.vocabulary.get(start === 0 ? piece : model.continuationPrefix + piece);
    }
    if (id === undefined) return undefined;
    ids.push(id);
    start = end + 1;
  }
  return ids;
}

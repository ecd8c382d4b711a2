import type { TokenizerModel } from '../tokenizer-model.js';

/** Encodes words by merging the pair that was learnt first, again and again. */
export function createPairMerger(model: TokenizerModel): (word: string) => number[] {
  const ranks = new Map<string, number>();
  // A later one of equal pairs counts, as in a table that is filled in order.
  for (const [index, pair] of model.merges.entries()) ranks.set(pair.join('\0'), index);
  return (word) => {
    const whole = model.ignoreMerges ? model.vocabulary.get(word) : undefined;
    if (whole !== undefined) return [whole];
    return mergeAll(split(word, model), ranks).flatMap((piece, index, pieces) =>
      idsOf(piece, model, pieces[index - 1]),
    );
  };
}

/** Characters, or the names of their bytes where the vocabulary lacks them. */
function split(word: string, model: TokenizerModel): string[] {
  return [...word].flatMap((character) => {
    if (model.vocabulary.has(character) || !model.byteFallback) return [character];
    const names = [...Buffer.from(character, 'utf8')].map(
      (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    );
    return names.every((name) => model.vocabulary.has(name)) ? names : [character];
  });
}

function mergeAll(pieces: string[], ranks: ReadonlyMap<string, number>): string[] {
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let place = -1;
    for (let index = 0; index + 1 < pieces.length; index++) {
      const rank = ranks.get(`${pieces[index]}\0${pieces[index + 1]}`);
      if (rank !== undefined && rank < best) {
        best = rank;
        place = index;
      }
    }
    if (place < 0) return pieces;
    pieces.splice(place, 2, `${pieces[place]}${pieces[place + 1]}`);
  }
}

function idsOf(piece: string, model: TokenizerModel, before: string | undefined): number[] {
  const id = model.vocabulary.get(piece);
  if (id !== undefined) return [id];
  if (model.unknownToken === undefined) return [];
  const unknown = model.vocabulary.get(model.unknownToken);
  const isRepeated = model.fuseUnknown && before !== undefined && !model.vocabulary.has(before);
  return unknown === undefined || isRepeated ? [] : [unknown];
}

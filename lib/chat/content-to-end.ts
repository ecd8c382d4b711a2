/** A parser of llama.cpp's, as it writes them: what they are made of is a list, and they name parts by their places. */
interface ParserPart {
  readonly type: string;
  readonly children?: readonly number[];
  readonly child?: number;
  readonly tag?: string;
  readonly delimiters?: readonly string[];
}

interface ParserTree {
  readonly parsers: readonly ParserPart[];
  readonly root: number;
}

/** Parts behind the content that take nothing of the text. */
const takesNothing = new Set(['end', 'epsilon']);

function readTree(source: string): ParserTree | undefined {
  try {
    const tree = JSON.parse(source) as Partial<ParserTree>;
    return Array.isArray(tree.parsers) && typeof tree.root === 'number' ? (tree as ParserTree) : undefined;
  } catch {
    return undefined;
  }
}

/** Content that only the end of the text ends. */
function isRestAsContent(part: ParserPart | undefined, parts: readonly ParserPart[]): boolean {
  if (part?.type !== 'tag' || part.tag !== 'content' || part.child === undefined) return false;
  const inside = parts[part.child];
  return inside?.type === 'until' && inside.delimiters?.length === 0;
}

/**
 * Whether everything behind the first character of an answer's content is content, whatever comes: the parser goes
 * through what may stand before it, and then takes the rest. So it is with nearly all templates as long as there are no
 * tools; an answer need not be parsed again for each token then.
 * @param source the parser that a rendered prompt brings; empty for one that takes everything as content.
 */
export function isContentToEnd(source: string): boolean {
  if (source === '') return true;
  const tree = readTree(source);
  const root = tree?.parsers[tree.root];
  if (tree === undefined || root?.type !== 'sequence' || root.children === undefined) return false;
  const parts = root.children.map((index) => tree.parsers[index]);
  const last = parts.findLastIndex((part) => part === undefined || !takesNothing.has(part.type));
  return isRestAsContent(parts[last], tree.parsers);
}

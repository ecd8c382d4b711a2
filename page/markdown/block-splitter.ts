import { Lexer, type Token, type TokensList } from 'marked';
import { closeOpenMarkup } from './close-open-markup.js';

/** A paragraph, list, table or piece of code of a text, which is drawn apart from the others. */
export interface Block {
  /** The part of the text that it is. */
  readonly raw: string;
  readonly token: Token;
  /** False for the last block of a text that is still growing. */
  readonly isFinished: boolean;
}

/** Line breaks of models are meant as such. */
const lexerOptions = { gfm: true, breaks: true };

type Links = TokensList['links'];

function lex(text: string, links: Links): { tokens: Token[]; links: Links } {
  const lexer = new Lexer(lexerOptions);
  Object.assign(lexer.tokens.links, links);
  const tokens = lexer.lex(text);
  return { tokens, links: tokens.links };
}

/**
 * Splits a growing text into blocks. What is before the last block never changes, so each call reads only what follows
 * it, and blocks that were there before are the same objects.
 */
export class BlockSplitter {
  #finished: Block[] = [];
  /** What the finished blocks are made of. */
  #finishedText = '';
  #links: Links = {};

  /**
   * Takes the whole text as it is now.
   * @param isGrowing more of it may come
   */
  update(given: string, isGrowing: boolean): readonly Block[] {
    const text = given.replaceAll(/\r\n?/g, '\n');
    if (!text.startsWith(this.#finishedText)) this.#startAgain();
    const rest = text.slice(this.#finishedText.length);
    const { tokens, links } = lex(rest, this.#links);
    const last = tokens.findLastIndex(({ type }) => type !== 'space');
    this.#finish(tokens.slice(0, Math.max(0, last)), links);
    const tail = last < 0 ? [] : tokens.slice(last);
    return [...this.#finished, ...this.#lastBlocks(tail, isGrowing)];
  }

  #startAgain(): void {
    this.#finished = [];
    this.#finishedText = '';
    this.#links = {};
  }

  #finish(tokens: readonly Token[], links: Links): void {
    for (const token of tokens) {
      this.#finishedText += token.raw;
      if (token.type === 'space' || token.type === 'def') continue;
      this.#finished.push({ raw: token.raw, token, isFinished: true });
    }
    if (tokens.length > 0) this.#links = { ...links };
  }

  #lastBlocks(tail: readonly Token[], isGrowing: boolean): Block[] {
    const [token] = tail;
    if (token === undefined || token.type === 'def') return [];
    if (!isGrowing) return [{ raw: token.raw, token, isFinished: true }];
    // The first line of code tells its language, once it is whole.
    if (token.type === 'code' && !token.raw.includes('\n')) return [];
    if (token.type === 'code') return [{ raw: token.raw, token, isFinished: isClosedFence(token.raw) }];
    const raw = closeOpenMarkup(token.raw);
    return lex(raw, this.#links)
      .tokens.filter(({ type }) => type !== 'space' && type !== 'def')
      .map((shown) => ({ raw: shown.raw, token: shown, isFinished: false }));
  }
}

/** True for code between fences whose last fence is there. */
function isClosedFence(raw: string): boolean {
  const fence = /^ {0,3}(`{3,}|~{3,})/.exec(raw)?.[1];
  if (fence === undefined) return false;
  const lastLine = raw.trimEnd().split('\n').slice(1).at(-1)?.trim() ?? '';
  return lastLine.length >= fence.length && lastLine === fence.charAt(0).repeat(lastLine.length);
}

import type { LanguageModelV4StreamPart } from '@ai-sdk/provider';
import type { ChatPart, ToolCallPart } from '../index.js';

/** Groups the parts of an answer into blocks that begin and end, as the AI SDK wants them. */
export class PartBlocks {
  #open: { readonly kind: 'text' | 'reasoning'; readonly id: string } | undefined;
  #count = 0;
  /** The arguments that were shown of each call that is not complete yet. */
  readonly #calls = new Map<string, string>();

  /** What a part adds to the stream. */
  *add(part: ChatPart): Generator<LanguageModelV4StreamPart, void, undefined> {
    if (part.type === 'text' || part.type === 'reasoning') yield* this.#addText(part.type, part.text);
    else if (part.type === 'tool-call') yield* this.#addCall(part);
  }

  /** Ends the blocks that are open. */
  *end(): Generator<LanguageModelV4StreamPart, void, undefined> {
    yield* this.#endText();
    for (const id of this.#calls.keys()) yield { type: 'tool-input-end', id };
    this.#calls.clear();
  }

  *#addText(kind: 'text' | 'reasoning', delta: string): Generator<LanguageModelV4StreamPart> {
    if (this.#open?.kind !== kind) {
      yield* this.#endText();
      this.#open = { kind, id: String(this.#count++) };
      yield { type: `${kind}-start`, id: this.#open.id };
    }
    yield { type: `${kind}-delta`, id: this.#open.id, delta };
  }

  *#endText(): Generator<LanguageModelV4StreamPart> {
    if (this.#open !== undefined) yield { type: `${this.#open.kind}-end`, id: this.#open.id };
    this.#open = undefined;
  }

  *#addCall({ id, name, argumentsText, complete }: ToolCallPart): Generator<LanguageModelV4StreamPart> {
    yield* this.#endText();
    const shown = this.#calls.get(id) ?? '';
    if (!this.#calls.has(id)) yield { type: 'tool-input-start', id, toolName: name };
    const delta = argumentsText.startsWith(shown) ? argumentsText.slice(shown.length) : '';
    if (delta !== '') yield { type: 'tool-input-delta', id, delta };
    this.#calls.set(id, argumentsText);
    if (!complete) return;
    yield { type: 'tool-input-end', id };
    this.#calls.delete(id);
  }
}

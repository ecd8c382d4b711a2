import type { ChatFinishReason, ChatPart, ChatResult, ToolCallPart } from '../../index.js';
import { toChatLogprobs } from './logprobs.js';

/** What all chunks of a stream have in common. */
export interface ChunkHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
  readonly includesUsage: boolean;
}

/** Why an answer ended, in OpenAI's words. */
export function toFinishReason(reason: ChatFinishReason): string {
  if (reason === 'tool-calls') return 'tool_calls';
  return reason === 'cancelled' ? 'stop' : reason;
}

/** The beginning of each event of a stream, up to its choices. */
export function eventHead({ id, created, model, fingerprint }: ChunkHead): string {
  const head = { id, object: 'chat.completion.chunk', created, model, system_fingerprint: fingerprint };
  return `data: ${JSON.stringify(head).slice(0, -1)},"choices":[`;
}

/**
 * Writes the events of one choice of a stream. What is the same in all events is made once, since a token must cost
 * next to nothing here.
 */
export class ChoiceChunks {
  readonly #head: string;
  readonly #tail: string;
  readonly #textHead: string;
  readonly #reasoningHead: string;
  readonly #deltaTail: string;
  /** The calls in their order, each with the arguments that were sent. */
  readonly #calls = new Map<string, { readonly index: number; sent: string }>();

  constructor(head: ChunkHead, index: number) {
    this.#head = `${eventHead(head)}{"index":${index},"delta":`;
    this.#tail = head.includesUsage ? '}],"usage":null}\n\n' : '}]}\n\n';
    this.#textHead = `${this.#head}{"content":`;
    this.#reasoningHead = `${this.#head}{"reasoning_content":`;
    this.#deltaTail = `},"logprobs":null,"finish_reason":null${this.#tail}`;
  }

  /** The first event, which tells who speaks. */
  begin(): string {
    return `${this.#head}{"role":"assistant","content":""${this.#deltaTail}`;
  }

  /** The event of a part; empty where it says nothing new. */
  add(part: ChatPart): string {
    if (part.type === 'text') return `${this.#textHead}${JSON.stringify(part.text)}${this.#deltaTail}`;
    if (part.type === 'reasoning') {
      return `${this.#reasoningHead}${JSON.stringify(part.text)}${this.#deltaTail}`;
    }
    return part.type === 'tool-call' ? this.#addCall(part) : '';
  }

  /** The last event, which tells why the answer ended. */
  end({ finishReason, logprobs }: ChatResult, timings?: object): string {
    const reason = JSON.stringify(toFinishReason(finishReason));
    const logprobText = JSON.stringify(toChatLogprobs(logprobs));
    const tail = timings === undefined ? this.#tail : withTimings(this.#tail, timings);
    return `${this.#head}{},"logprobs":${logprobText},"finish_reason":${reason}${tail}`;
  }

  #addCall({ id, name, argumentsText }: ToolCallPart): string {
    const known = this.#calls.get(id);
    const call = known ?? { index: this.#calls.size, sent: '' };
    if (known === undefined) this.#calls.set(id, call);
    const added = argumentsText.startsWith(call.sent) ? argumentsText.slice(call.sent.length) : '';
    if (known !== undefined && added === '') return '';
    call.sent += added;
    const { index } = call;
    const delta =
      known === undefined
        ? { index, id, type: 'function', function: { name, arguments: added } }
        : { index, function: { arguments: added } };
    return `${this.#head}{"tool_calls":[${JSON.stringify(delta)}]${this.#deltaTail}`;
  }
}

function withTimings(tail: string, timings: object): string {
  return tail.replace('}\n\n', `,"timings":${JSON.stringify(timings)}}\n\n`);
}

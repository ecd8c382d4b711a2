import { sortOptions } from '../../lib/chat/answer-options.js';
import { checkAnswerable, startAnswer } from '../../lib/chat/chat.js';
import type { ChatFace } from '../../lib/ecosystem/model-face.js';
import type { ChatCallOptions, Model } from '../../lib/index.js';
import { type ScriptedAnswer, type ScriptedCall, ScriptedHost } from './scripted-host.js';

/** A model for the faces of other libraries that renders and reads as a real one does, and writes what a script says. */
export interface ScriptedModel extends ChatFace {
  /** How it was asked, as the template got it. */
  readonly calls: readonly ScriptedCall[];
  /** The options of each call, as the face gave them. */
  readonly options: readonly ChatCallOptions[];
}

export function scriptedModel(
  model: Model,
  template: string,
  answers: readonly ScriptedAnswer[],
): ScriptedModel {
  const host = new ScriptedHost(model, template, answers);
  const options: ChatCallOptions[] = [];
  return {
    calls: host.calls,
    options,
    metadata: model.metadata,
    tokenize: model.tokenize.bind(model),
    chat(messages, given = {}) {
      const sorted = sortOptions(given);
      checkAnswerable(messages);
      options.push(given);
      return startAnswer(host, [...messages], sorted);
    },
  };
}

import type { NativeHandle, NativeModelInfo } from '../native/addon.js';

/** Stands on this side for a native object in another process. */
export class RemoteHandle<Kind extends NativeHandle['kind'] = NativeHandle['kind']> {
  readonly kind: Kind;
  readonly number: number;
  /** The life of the engine that it ends with; undefined for what is made again in the next one. */
  readonly life: number | undefined;

  constructor(kind: Kind, number: number, life?: number) {
    this.kind = kind;
    this.number = number;
    this.life = life;
  }
}

/** A model, with what is asked of it without waiting. */
export class RemoteModel extends RemoteHandle<'model'> {
  readonly info: NativeModelInfo;
  readonly controlTexts: readonly string[];

  constructor(number: number, info: NativeModelInfo, controlTexts: readonly string[]) {
    super('model', number);
    this.info = info;
    this.controlTexts = controlTexts;
  }
}

/** Cancels a call that loads, once it runs. */
export class RemoteCancelFlag extends RemoteHandle<'cancel flag'> {
  #cancelled = false;
  #cancel: () => void = () => {};

  constructor() {
    super('cancel flag', 0);
  }

  set(): void {
    this.#cancelled = true;
    this.#cancel();
  }

  /** Says how the call is cancelled, and does it if that was asked before. */
  onSet(cancel: () => void): void {
    this.#cancel = cancel;
    if (this.#cancelled) cancel();
  }
}

import type { Addon, NativeHandle, NativeModelInfo } from '../native/addon.js';

/** Stands on this side for a native object in another process. */
export class RemoteHandle<Kind extends NativeHandle['kind'] = NativeHandle['kind']> {
  readonly kind: Kind;
  readonly number: number;
  /** The life of the engine that it ends with; undefined for what is made again in the next one. */
  readonly life: number | undefined;
  /** The addon that made it. */
  readonly owner: Addon;
  closed = false;

  constructor(owner: Addon, kind: Kind, number: number, life?: number) {
    this.owner = owner;
    this.kind = kind;
    this.number = number;
    this.life = life;
  }
}

/** A model, with what is asked of it without waiting. */
export class RemoteModel extends RemoteHandle<'model'> {
  readonly info: NativeModelInfo;
  readonly controlTexts: readonly string[];

  constructor(owner: Addon, number: number, info: NativeModelInfo, controlTexts: readonly string[]) {
    super(owner, 'model', number);
    this.info = info;
    this.controlTexts = controlTexts;
  }
}

/** Cancels a call that loads or quantizes, once it runs. */
export class RemoteCancelFlag extends RemoteHandle<'cancel flag'> {
  #cancelled = false;
  #cancel: () => void = () => {};

  constructor(owner: Addon) {
    super(owner, 'cancel flag', 0);
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

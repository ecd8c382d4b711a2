/** Whether a model fits the memory of this machine. */
export interface MemoryFit {
  readonly fits: boolean;
}

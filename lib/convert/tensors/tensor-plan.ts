/** What becomes of a tensor on its way into the GGUF file. */
export interface TensorPlan {
  /** Name in the GGUF file. */
  readonly name: string;
  /** Default: nothing is changed but the type. */
  readonly change?: TensorChange;
}

/** A change of a tensor's rows or values. */
export type TensorChange =
  /** Rows of rotated heads are paired (2i, 2i+1) instead of (i, i + half). */
  | { readonly kind: 'pair-rotated-rows'; readonly heads: number }
  /** A number is added to each value. */
  | { readonly kind: 'add'; readonly value: number }
  /** Only some rows are kept. */
  | { readonly kind: 'keep-rows'; readonly first: number; readonly count: number };

/** A native object in JavaScript's hands. Its kind is checked by the addon whenever it comes back. */
export type ModelHandle = { readonly kind: 'model' };
export type AdapterHandle = { readonly kind: 'adapter' };
export type ContextHandle = { readonly kind: 'context' };
export type SamplerHandle = { readonly kind: 'sampler' };
export type ChatParserHandle = { readonly kind: 'chat parser' };
export type CancelFlag = { readonly kind: 'cancel flag' };

/** Any of them. */
export type NativeHandle =
  | ModelHandle
  | AdapterHandle
  | ContextHandle
  | SamplerHandle
  | ChatParserHandle
  | CancelFlag;

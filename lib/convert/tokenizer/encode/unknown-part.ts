/** A part of a tokenizer that is not known here. Never leaves this folder: then the way of cutting is unknown. */
export class UnknownPart extends Error {}

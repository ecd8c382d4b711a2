/**
 * Sequences beyond those that run. Where sequences share memory they cost next to nothing, and keep prefixes of earlier
 * prompts.
 */
export const residentSequences = 16;

import { createHash, randomBytes } from 'node:crypto';
import type { Model } from '../../index.js';

const fingerprints = new WeakMap<Model, string>();

/** Tells models apart, and the same model with another context: answers of one seed are equal under one of them. */
export function fingerprintOf(model: Model): string {
  const known = fingerprints.get(model);
  if (known !== undefined) return known;
  const { description, sizeBytes, parameterCount, vocabularySize } = model.metadata;
  const facts = [description, sizeBytes, parameterCount, vocabularySize, model.contextSize];
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex');
  const fingerprint = `fp_${digest.slice(0, 10)}`;
  fingerprints.set(model, fingerprint);
  return fingerprint;
}

/** A new id, such as `chatcmpl-` and 32 hexadecimal digits. */
export function newId(prefix: 'chatcmpl' | 'cmpl' | 'rerank'): string {
  return `${prefix}-${randomBytes(16).toString('hex')}`;
}

/** Now, in seconds since 1970. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

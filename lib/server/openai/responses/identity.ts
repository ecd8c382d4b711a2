import { randomBytes } from 'node:crypto';

/** A new id of a response or of one of its items: `resp` of a response, `msg` of a message, `rs` of reasoning, `fc` of a call. */
export function newItemId(prefix: 'resp' | 'msg' | 'rs' | 'fc' | 'fco'): string {
  return `${prefix}_${randomBytes(16).toString('hex')}`;
}

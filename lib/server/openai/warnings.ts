import type { FastifyReply } from 'fastify';

/** The header that tells what of a request has no effect. */
export const warningHeader = 'x-llama-native-warning';

/** Tells the client what of the request has no effect; headers hold printable ASCII only. */
export function warn(reply: FastifyReply, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  const text = warnings.join(' ').replaceAll(/[^\x20-\x7e]/g, '?');
  reply.header(warningHeader, text.slice(0, 1000));
}

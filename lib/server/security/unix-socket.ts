import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { createError } from '../../errors.js';

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * Removes the socket of a server that is gone, so that its path can be listened on again. What is no socket, or has a
 * server behind it, is left alone.
 * @throws LlamaNativeError SERVER_START_FAILED.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    const message = `The server cannot listen on ${path}: there is a file that is no socket. Choose another path.`;
    throw createError('SERVER_START_FAILED', message);
  }
  if (await isAnswered(path)) {
    const message = `The server cannot listen on ${path}: another server does. End it, or choose another path.`;
    throw createError('SERVER_START_FAILED', message);
  }
  await rm(path, { force: true });
}

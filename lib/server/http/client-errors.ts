import type { Duplex } from 'node:stream';
import type { ConnectionError } from 'fastify';

interface Answer {
  readonly status: string;
  readonly code: string;
  readonly error: string;
}

const timeout: Answer = {
  status: '408 Request Timeout',
  code: 'request_timeout',
  error: 'The request did not arrive in time.',
};
const headers: Answer = {
  status: '431 Request Header Fields Too Large',
  code: 'headers_too_large',
  error: 'The headers of the request are larger than 16 kB.',
};
const chunks: Answer = {
  status: '413 Payload Too Large',
  code: 'chunk_extensions_too_large',
  error: 'The chunks of the request carry too much beside their content.',
};
const malformed: Answer = {
  status: '400 Bad Request',
  code: 'malformed_request',
  error: 'What was sent is no HTTP request.',
};

const answers: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: timeout,
  HPE_HEADER_OVERFLOW: headers,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: chunks,
};

/**
 * Ends a connection on which there is no request that could be answered as others are.
 * @param isAnswering whether an answer is on its way, in which another one would be taken for a part of it.
 */
export function endUnreadable(error: ConnectionError, socket: Duplex, isAnswering: boolean): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable && !isAnswering) {
    const { status, code, error: message } = answers[error.code] ?? malformed;
    const body = JSON.stringify({ error: message, code });
    const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8`;
    socket.write(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroy(error);
}

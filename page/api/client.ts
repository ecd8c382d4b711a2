import { ApiFailure, readApiFailure } from './api-failure.js';

/** A request of the page. Paths are relative, so that a proxy may put the server anywhere. */
export async function request(path: string, key: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (key !== '') headers.set('authorization', `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(`./${path}`, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiFailure('', { status: 0 });
  }
  if (!response.ok) throw await readApiFailure(response);
  return response;
}

/** The body of an answer that should be JSON. */
export async function requestJson<Result>(path: string, key: string, signal?: AbortSignal): Promise<Result> {
  const response = await request(path, key, signal === undefined ? {} : { signal });
  return (await response.json()) as Result;
}

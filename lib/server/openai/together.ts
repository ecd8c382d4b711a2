/**
 * Waits for all of several answers. When one fails, the others are ended and waited for, so that none of them writes
 * into a stream that is closed.
 * @param end ends the others.
 * @throws what the first one failed with.
 */
export async function allTogether<Result>(
  answers: readonly Promise<Result>[],
  end: () => void,
): Promise<Result[]> {
  try {
    return await Promise.all(answers);
  } catch (error) {
    end();
    await Promise.allSettled(answers);
    throw error;
  }
}

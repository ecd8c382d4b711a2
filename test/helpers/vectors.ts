/** The length of a vector: the square root of the sum of its squares. */
export function euclideanLength(vector: Float32Array): number {
  return Math.sqrt(dotProduct(vector, vector));
}

/** The cosine of the angle between two vectors. */
export function cosine(first: Float32Array, second: Float32Array): number {
  return dotProduct(first, second) / (euclideanLength(first) * euclideanLength(second));
}

/** Cuts vectors that lie one after the other apart. */
export function rowsOf(vectors: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: vectors.length / length }, (_, index) =>
    vectors.slice(index * length, (index + 1) * length),
  );
}

function dotProduct(first: Float32Array, second: Float32Array): number {
  if (first.length !== second.length) throw new RangeError('Expected vectors of the same length');
  return first.reduce((sum, value, index) => sum + value * (second[index] ?? 0), 0);
}

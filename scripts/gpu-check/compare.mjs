// Comparing the logits of two runs, one row of the vocabulary's size for each token.

/** ‖values − reference‖ / ‖reference‖, with the Euclidean norm. */
export function relativeDifference(values, reference) {
  let difference = 0;
  let norm = 0;
  for (let index = 0; index < reference.length; index++) {
    difference += (values[index] - reference[index]) ** 2;
    norm += reference[index] ** 2;
  }
  return Math.sqrt(difference / norm);
}

function indexOfLargest(row) {
  let best = 0;
  for (let index = 1; index < row.length; index++) if (row[index] > row[best]) best = index;
  return best;
}

/**
 * Compares two runs over the same tokens.
 *
 * @param {Float32Array} values logits, row after row
 * @param {Float32Array} reference as `values`
 * @param {number} rowLength size of the vocabulary
 * @returns {{ rows: number, difference: number, largestRowDifference: number, sameFirstChoice: number }} `difference`
 *   over all rows together; `sameFirstChoice`: rows in which both put the same token first
 */
export function compareLogits(values, reference, rowLength) {
  if (values.length !== reference.length || values.length === 0 || values.length % rowLength !== 0) {
    const received = `${values.length} and ${reference.length}`;
    throw new Error(`Expected two equal numbers of logits, in rows of ${rowLength}, received ${received}.`);
  }
  const rows = values.length / rowLength;
  let largestRowDifference = 0;
  let sameFirstChoice = 0;
  for (let row = 0; row < rows; row++) {
    const ours = values.subarray(row * rowLength, (row + 1) * rowLength);
    const theirs = reference.subarray(row * rowLength, (row + 1) * rowLength);
    const rowDifference = relativeDifference(ours, theirs);
    if (!Number.isFinite(rowDifference)) {
      throw new Error(`Expected finite logits, received others for token ${row}.`);
    }
    largestRowDifference = Math.max(largestRowDifference, rowDifference);
    if (indexOfLargest(ours) === indexOfLargest(theirs)) sameFirstChoice += 1;
  }
  return { rows, difference: relativeDifference(values, reference), largestRowDifference, sameFirstChoice };
}

/** The middle one of some numbers. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

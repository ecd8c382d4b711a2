/** A label beside a point of a plot. */
export interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** Where a label was put: its anchor, and from which side it grows. */
export interface PlacedLabel extends Label {
  readonly labelX: number;
  readonly labelY: number;
  readonly anchor: 'start' | 'middle' | 'end';
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What labels keep clear of each other, of points and of the edge. */
export interface LabelSpace extends Box {
  readonly fontSize: number;
  readonly pointRadius: number;
}

/** Wide characters, such as Chinese ones, are as wide as the font is high; others a bit more than half of that. */
export function textWidth(text: string, fontSize: number): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) > 0x2e80 ? 1 : 0.6;
  return width * fontSize;
}

const directions = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [-1, -1],
  [1, 1],
  [-1, 1],
] as const;
const distances = [1, 2.2, 3.6, 5, 7, 9];

/** Puts each label at the first place near its point where it covers nothing; far away if there is no nearer one. */
export function placeLabels(labels: readonly Label[], space: LabelSpace): PlacedLabel[] {
  const points = labels.map(({ x, y }) => around(x, y, space.pointRadius));
  const taken: Box[] = [];
  return labels.map((label) => {
    const places = distances.flatMap((distance) =>
      directions.map((direction) => placeAt(label, direction, distance, space)),
    );
    const isFree = ({ box }: (typeof places)[number]) =>
      inside(box, space) && ![...points, ...taken].some((other) => overlap(box, other));
    const place = places.find(isFree) ?? places[0];
    if (place === undefined) throw new Error('There are always places.');
    taken.push(place.box);
    return place.label;
  });
}

function placeAt(
  label: Label,
  [right, down]: readonly [number, number],
  distance: number,
  { fontSize, pointRadius }: LabelSpace,
): { label: PlacedLabel; box: Box } {
  const away = pointRadius + 4;
  const labelX = label.x + right * away * Math.sqrt(distance);
  const labelY = label.y + down * (pointRadius + fontSize * 0.6) * distance + fontSize * 0.35;
  const anchor = right > 0 ? 'start' : right < 0 ? 'end' : 'middle';
  const width = textWidth(label.text, fontSize);
  const left = labelX - (anchor === 'start' ? 0 : anchor === 'end' ? width : width / 2);
  const box = { left, right: left + width, top: labelY - fontSize * 0.85, bottom: labelY + fontSize * 0.25 };
  return { label: { ...label, labelX, labelY, anchor }, box };
}

function around(x: number, y: number, radius: number): Box {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function inside(box: Box, space: Box): boolean {
  return (
    box.left >= space.left && box.right <= space.right && box.top >= space.top && box.bottom <= space.bottom
  );
}

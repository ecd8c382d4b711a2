import Type, { type Static } from 'typebox';
import type { LoadProgress } from '../../index.js';
import type { ServedModel } from './types.js';

/** How far a load is, as clients read it. */
const Progress = Type.Object(
  {
    stage: Type.Union([Type.Literal('download'), Type.Literal('convert'), Type.Literal('load')]),
    fraction: Type.Number({ description: 'Of this stage: from 0 to 1.' }),
    file: Type.Optional(Type.String({ description: 'The file that is downloaded.' })),
    done_bytes: Type.Optional(Type.Integer()),
    total_bytes: Type.Optional(Type.Integer()),
    bytes_per_second: Type.Optional(Type.Number()),
  },
  { description: 'While it is loading: how far that is.' },
);

/** A model, as administrators see it. */
export const ModelDescription = Type.Object({
  name: Type.String(),
  aliases: Type.Array(Type.String()),
  source: Type.String(),
  state: Type.Union([
    Type.Literal('unloaded'),
    Type.Literal('loading'),
    Type.Literal('ready'),
    Type.Literal('unloading'),
    Type.Literal('failed'),
  ]),
  pinned: Type.Boolean(),
  added: Type.Boolean({ description: 'Added while the server runs, and removable.' }),
  created: Type.Integer({ description: 'Seconds since 1970.' }),
  last_used: Type.Union([Type.Number(), Type.Null()], { description: 'Seconds since 1970.' }),
  in_flight: Type.Integer({ description: 'Requests that use it or wait for it.' }),
  memory_bytes: Type.Union([Type.Number(), Type.Null()], {
    description: 'Memory that it is counted with; null where that is not known.',
  }),
  crashes: Type.Integer({ description: 'How often its engine crashed.' }),
  progress: Type.Optional(Progress),
  error: Type.Optional(Type.String({ description: 'Why the last load failed.' })),
});

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, part / whole) : 0;
}

/** The same three facts for every stage. */
export function describeProgress(progress: LoadProgress): Static<typeof Progress> {
  switch (progress.stage) {
    case 'download': {
      const { downloadedBytes, totalBytes } = progress.overall ?? progress;
      return {
        stage: 'download',
        fraction: share(downloadedBytes, totalBytes),
        file: progress.file,
        done_bytes: downloadedBytes,
        total_bytes: totalBytes,
        bytes_per_second: progress.bytesPerSecond,
      };
    }
    case 'convert':
      return {
        stage: 'convert',
        fraction: share(progress.writtenBytes, progress.totalBytes),
        done_bytes: progress.writtenBytes,
        total_bytes: progress.totalBytes,
      };
    default:
      return { stage: 'load', fraction: progress.fraction };
  }
}

/** What administrators are told of a model as it is now. */
export function describeModel(served: ServedModel): Static<typeof ModelDescription> {
  const { lastUsedMs, progress, error } = served;
  return {
    name: served.name,
    aliases: [...served.aliases],
    source: served.source,
    state: served.state,
    pinned: served.pinned,
    added: served.added,
    created: served.createdSeconds,
    last_used: lastUsedMs === undefined ? null : lastUsedMs / 1000,
    in_flight: served.inFlight,
    memory_bytes: served.memoryBytes ?? null,
    crashes: served.crashes,
    ...(progress !== undefined && { progress: describeProgress(progress) }),
    ...(error !== undefined && { error }),
  };
}

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Where a program is looked for. */
export interface SearchPlace {
  readonly platform: NodeJS.Platform;
  /** The environment whose PATH (and on Windows PATHEXT) counts. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Finds a program on PATH as a shell would, without starting it. */
export function findExecutable(name: string, place: SearchPlace): string | undefined {
  const { environment, platform } = place;
  const isWindows = platform === 'win32';
  const directories = (environment.PATH ?? environment.Path ?? '').split(delimiter).filter(Boolean);
  const extensions = isWindows ? (environment.PATHEXT ?? '.EXE;.CMD;.BAT').split(';') : [''];
  for (const directory of directories) {
    for (const extension of extensions) {
      const candidate = join(directory, name + extension.toLowerCase());
      if (isExecutableFile(candidate)) return candidate;
    }
  }
  return undefined;
}

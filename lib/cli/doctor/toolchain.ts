import { LlamaNativeError } from '../../errors.js';
import type { Library } from '../library.js';
import { type Check, messageOf } from './check.js';

/** Whether the addon could be compiled here. With a working addon nobody needs that. */
export function checkToolchain(library: Library, isNeeded: boolean): Check {
  const name = 'Compilers';
  try {
    const toolchain = library.inspectToolchain(library.currentPlace(), { cuda: false });
    const found = [
      toolchain.compiler ?? 'Visual Studio',
      `CMake ${toolchain.cmakeVersion}`,
      toolchain.hasNinja ? 'Ninja' : 'make',
      ...(toolchain.hasCompilerCache ? ['ccache'] : []),
    ];
    return { name, status: 'ok', detail: found.join(', '), facts: { ...toolchain } };
  } catch (error) {
    const details = LlamaNativeError.isInstance(error) ? error.details : {};
    const instructions = typeof details.instructions === 'string' ? details.instructions : undefined;
    return {
      name,
      status: isNeeded ? 'failed' : 'warning',
      detail: firstLine(messageOf(error)),
      remedy: [instructions ?? '', isNeeded ? '' : '(only needed to compile the addon here)']
        .filter((part) => part !== '')
        .join(' '),
      facts: details,
    };
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

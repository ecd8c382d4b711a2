import type { CommandContext } from '../context.js';
import { checkAddon } from './addon.js';
import type { Check } from './check.js';
import { checkMemory, checkNode, checkPlatform } from './machine.js';
import { checkCache, checkHub } from './storage.js';
import { checkTemplates } from './templates.js';
import { checkToolchain } from './toolchain.js';

/** Looks at everything that generating and building need, in the order in which it is shown. */
export async function examine(context: CommandContext): Promise<Check[]> {
  const library = await context.loadLibrary();
  const hub = checkHub(library, context.environment, context.interrupts.signal);
  const addon = await checkAddon(library);
  const isAddonMissing = addon.some((check) => check.status === 'failed');
  return [
    checkNode(),
    checkPlatform(library.describeHost(library.inspectHost())),
    ...addon,
    checkMemory(),
    checkToolchain(library, isAddonMissing),
    await checkCache(library),
    ...(await checkTemplates(library)),
    await hub,
  ];
}

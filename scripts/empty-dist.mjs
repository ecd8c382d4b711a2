// Empties dist/ before a compilation, so that modules deleted from lib/ do not live on in it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './prepare.mjs';

rmSync(join(root, 'dist'), { recursive: true, force: true });

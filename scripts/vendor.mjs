#!/usr/bin/env node
// Fills vendor/llama.cpp with the pinned sources: as a git submodule where GitHub answers, otherwise out of the release
// bundle that an npm package carries. Either way the git tree hash decides whether the content is right.
//
//   node scripts/vendor.mjs           fill it if needed (a fraction of a second when it is)
//   node scripts/vendor.mjs --check   compute the hash of what is there; exit code 1 when it differs
//   node scripts/vendor.mjs --force   replace what is there even when it was changed
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { git, runNpm, runProgram } from './commands.mjs';

const pin = {
  release: 'v0.5.0',
  commit: '7fe450e19305b828c199d602c23a8337aaa1f03b',
  tree: 'fd570ef54b10ec5fecb739e7e04c8ce44a6f415a',
  mirror: 'node-llama-cpp@3.22.1',
  bundle: 'package/llama/gitRelease.bundle',
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const path = 'vendor/llama.cpp';
const target = join(root, path);
const cache = join(root, '.cache');
const stampPath = join(cache, 'vendor.json');

/** The tree hash that the last fill or check found here, so that the next run need not read 3 000 files. */
function readStamp() {
  try {
    return JSON.parse(readFileSync(stampPath, 'utf8')).tree;
  } catch {
    return undefined;
  }
}

function writeStamp() {
  mkdirSync(cache, { recursive: true });
  writeFileSync(stampPath, `${JSON.stringify({ release: pin.release, tree: pin.tree })}\n`);
}

function isEmpty() {
  return !existsSync(target) || readdirSync(target).length === 0;
}

const isSubmodule = () => existsSync(join(target, '.git'));

/** Runs `use` with an empty directory beside the target, on the same disk, and removes it afterwards. */
function withScratch(use) {
  const scratch = join(cache, `vendor-${process.pid}`);
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    return use(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The git tree hash of the directory's content, ignored files included. */
function treeOfDirectory() {
  if (isSubmodule()) {
    const changes = git(['-C', target, 'status', '--porcelain', '--ignored']);
    return changes === '' ? git(['-C', target, 'rev-parse', 'HEAD^{tree}']) : `changed:\n${changes}`;
  }
  return withScratch((scratch) => {
    const repository = join(scratch, 'check.git');
    git(['init', '--quiet', '--bare', repository]);
    const options = ['-c', 'core.bare=false', '-c', 'core.autocrlf=false', '-c', 'core.fsync=none'];
    const place = ['--git-dir', repository, '--work-tree', target];
    git([...options, ...place, 'add', '--all', '--force', '.'], { cwd: target });
    return git([...place, 'write-tree'], { cwd: target });
  });
}

/** git's tree hash covers the executable bit, which files on Windows do not have. */
function canVerify() {
  return process.platform !== 'win32' || isSubmodule();
}

/** True when the submodule's commits came; false when GitHub does not answer here. */
function fillFromSubmodule(force) {
  const url = git(['config', '--file', join(root, '.gitmodules'), `submodule.${path}.url`]);
  if (git(['ls-remote', '--quiet', url, 'HEAD'], { timeout: 15_000, optional: true }) === undefined) {
    console.log(`${url} does not answer.`);
    return false;
  }
  const update = ['submodule', 'update', '--init', '--depth', '1', ...(force ? ['--force'] : []), path];
  if (git(update, { cwd: root, timeout: 900_000, optional: true, inherit: true }) !== undefined) return true;
  console.log('The submodule could not be fetched.');
  if (!force && !isEmpty()) return false;
  git(['submodule', 'deinit', '--force', path], { cwd: root, optional: true });
  return false;
}

/** Takes the release out of the npm package, checks its hash, and only then puts it in place. */
function fillFromPackage() {
  console.log(`Fetching llama.cpp ${pin.release} out of the npm package ${pin.mirror} (35 MB).`);
  withScratch((scratch) => {
    runNpm(['pack', pin.mirror, '--silent', '--pack-destination', scratch], { cwd: scratch });
    const tarball = readdirSync(scratch).find((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error(`npm pack ${pin.mirror} left no file in ${scratch}.`);
    // Names relative to the working directory: tar takes the colon of a Windows path for a host's.
    runProgram('tar', ['-xzf', tarball, pin.bundle], { cwd: scratch });
    const repository = join(scratch, 'bundle.git');
    git(['init', '--quiet', '--bare', repository]);
    git(['-C', repository, 'fetch', '--quiet', join(scratch, pin.bundle), 'HEAD']);
    const tree = git(['-C', repository, 'rev-parse', 'FETCH_HEAD^{tree}']);
    if (tree !== pin.tree) {
      throw new Error(
        `The bundle in ${pin.mirror} holds the tree ${tree}, expected ${pin.tree}. Nothing was changed.`,
      );
    }
    const staging = join(scratch, 'llama.cpp');
    mkdirSync(staging);
    const options = ['-C', repository, '-c', 'core.autocrlf=false'];
    git([...options, 'read-tree', tree]);
    git([...options, '-c', 'core.bare=false', '--work-tree', staging, 'checkout-index', '--all', '--force']);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(dirname(target), { recursive: true });
    renameSync(staging, target);
  });
}

function fill(force) {
  if (!fillFromSubmodule(force)) fillFromPackage();
  if (canVerify()) {
    const tree = treeOfDirectory();
    if (tree !== pin.tree)
      throw new Error(`${path} was filled, but its tree is ${tree}, expected ${pin.tree}.`);
  }
  writeStamp();
  console.log(`${path}: llama.cpp ${pin.release}, tree ${pin.tree}`);
}

function refuseChanged(tree) {
  throw new Error(
    `${path} is not llama.cpp ${pin.release} as released: its tree is ${tree}, expected ${pin.tree}.\n` +
      'If nothing there is worth keeping, replace it with: npm run vendor -- --force',
  );
}

function main({ check, force }) {
  // An npm tarball brings the sources it needs, and only those.
  if (!existsSync(join(root, '.git'))) return;
  if (check) {
    if (isEmpty()) throw new Error(`${path} is empty. Fill it with: npm run vendor`);
    if (!canVerify())
      throw new Error('Files on Windows lack the mode bits that the hash covers; nothing was checked.');
    const tree = treeOfDirectory();
    if (tree !== pin.tree) refuseChanged(tree);
    writeStamp();
    console.log(`${path} is llama.cpp ${pin.release} as released: tree ${tree}`);
    return;
  }
  if (force || isEmpty()) {
    fill(force);
    return;
  }
  const stamp = readStamp();
  if (stamp === pin.tree) return;
  const tree = canVerify() ? treeOfDirectory() : stamp;
  if (tree === pin.tree) writeStamp();
  // Unchanged since an earlier pin was put there: replacing it loses nothing.
  else if (tree === stamp || (isSubmodule() && !tree?.startsWith('changed'))) fill(true);
  else refuseChanged(tree);
}

try {
  const { values } = parseArgs({
    options: { check: { type: 'boolean', default: false }, force: { type: 'boolean', default: false } },
  });
  main(values);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

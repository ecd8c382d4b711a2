// Published packages to compare with. They are installed only on request, into .cache/peers, and are no dependency.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNpm } from '../commands.mjs';
import { root } from '../prepare.mjs';

const nodeLlamaCppVersion = '3.22.1';

/** Packages with node-llama-cpp's CPU binaries, by platform. The GPU packages beside them weigh 600 MB. */
const nodeLlamaCppBinaries = {
  'linux-x64': '@node-llama-cpp/linux-x64',
  'linux-arm64': '@node-llama-cpp/linux-arm64',
  'darwin-x64': '@node-llama-cpp/mac-x64',
  'darwin-arm64': '@node-llama-cpp/mac-arm64-metal',
  'win32-x64': '@node-llama-cpp/win-x64',
  'win32-arm64': '@node-llama-cpp/win-arm64',
};

/** The packages that a peer consists of on this platform, with their versions. */
export function peerPackages(peer, platform = `${process.platform}-${process.arch}`) {
  if (peer !== 'node-llama-cpp')
    throw new Error(`Expected --peer to be node-llama-cpp, received ${JSON.stringify(peer)}.`);
  const binary = nodeLlamaCppBinaries[platform];
  if (binary === undefined) throw new Error(`node-llama-cpp has no published binary for ${platform}.`);
  return [peer, binary].map((name) => `${name}@${nodeLlamaCppVersion}`);
}

/** Installs a peer where that has not been done, and returns the folder of its main package and its version. */
export function ensurePeer(peer) {
  const packages = peerPackages(peer);
  const directory = join(root, '.cache', 'peers', peer);
  const location = join(directory, 'node_modules', peer);
  const manifest = join(location, 'package.json');
  const isInstalled =
    existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === nodeLlamaCppVersion;
  if (!isInstalled) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
    // Without its scripts nothing is compiled; without optional packages no GPU binaries come along.
    runNpm(['install', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], {
      cwd: directory,
      inherit: true,
    });
  }
  return { location, version: nodeLlamaCppVersion };
}

import { findExecutable, type SearchPlace } from './find-executable.js';

/** A program that building from source needs. */
export type BuildTool = 'compiler' | 'cmake' | 'ninja' | 'cuda';

/** A {@link SearchPlace}, and whether commands there run as the administrator already. */
export interface InstallPlace extends SearchPlace {
  readonly isRoot: boolean;
}

interface PackageManager {
  readonly program: string;
  readonly install: string;
  readonly needsRoot: boolean;
  readonly packages: Readonly<Partial<Record<BuildTool, string>>>;
}

const linuxPackageManagers: readonly PackageManager[] = [
  {
    program: 'apt-get',
    install: 'apt-get install -y',
    needsRoot: true,
    packages: { compiler: 'g++', cmake: 'cmake', ninja: 'ninja-build', cuda: 'nvidia-cuda-toolkit' },
  },
  {
    program: 'dnf',
    install: 'dnf install -y',
    needsRoot: true,
    packages: { compiler: 'gcc-c++', cmake: 'cmake', ninja: 'ninja-build' },
  },
  {
    program: 'yum',
    install: 'yum install -y',
    needsRoot: true,
    packages: { compiler: 'gcc-c++', cmake: 'cmake3', ninja: 'ninja-build' },
  },
  {
    program: 'pacman',
    install: 'pacman -S --needed --noconfirm',
    needsRoot: true,
    packages: { compiler: 'gcc', cmake: 'cmake', ninja: 'ninja', cuda: 'cuda' },
  },
  {
    program: 'apk',
    install: 'apk add',
    needsRoot: true,
    packages: { compiler: 'build-base linux-headers', cmake: 'cmake', ninja: 'samurai' },
  },
  {
    program: 'zypper',
    install: 'zypper install -y',
    needsRoot: true,
    packages: { compiler: 'gcc-c++', cmake: 'cmake', ninja: 'ninja' },
  },
];

const homebrew: PackageManager = {
  program: 'brew',
  install: 'brew install',
  needsRoot: false,
  packages: { cmake: 'cmake', ninja: 'ninja' },
};

/** Where to get a tool when no package manager of this machine is known to have it. */
const websites: Record<BuildTool, string> = {
  compiler: 'a C++17 compiler (GCC 9 or newer, Clang 10 or newer, or Visual Studio 2022)',
  cmake: 'CMake 3.19 or newer from https://cmake.org/download/',
  ninja: 'Ninja from https://ninja-build.org',
  cuda: "NVIDIA's CUDA toolkit from https://developer.nvidia.com/cuda-downloads",
};

/** Windows and macOS install some tools by commands of their own, one each. */
const ownCommands: Partial<Record<NodeJS.Platform, Partial<Record<BuildTool, string>>>> = {
  darwin: { compiler: 'xcode-select --install' },
  win32: {
    compiler:
      'winget install --id Microsoft.VisualStudio.2022.BuildTools --override ' +
      '"--passive --wait --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
    cmake: 'winget install --id Kitware.CMake',
    ninja: 'winget install --id Ninja-build.Ninja',
    cuda: 'winget install --id Nvidia.CUDA',
  },
};

function findPackageManager(place: InstallPlace): PackageManager | undefined {
  const candidates = place.platform === 'darwin' ? [homebrew] : linuxPackageManagers;
  if (place.platform === 'win32') return undefined;
  return candidates.find((manager) => findExecutable(manager.program, place) !== undefined);
}

function managerCommand(manager: PackageManager, tools: readonly BuildTool[], place: InstallPlace): string {
  const names = tools.map((tool) => manager.packages[tool]).filter((name) => name !== undefined);
  const prefix = manager.needsRoot && !place.isRoot ? 'sudo ' : '';
  return `${prefix}${manager.install} ${names.join(' ')}`;
}

/**
 * What to do to get the tools on this machine: commands to type, one per line, and for what no command of this machine
 * installs, the place to get it from.
 */
export function installInstructions(tools: readonly BuildTool[], place: InstallPlace): string {
  const own = ownCommands[place.platform] ?? {};
  const manager = findPackageManager(place);
  const managed = tools.filter((tool) => own[tool] === undefined && manager?.packages[tool] !== undefined);
  const lines: string[] = [];
  for (const tool of tools) {
    const command = own[tool];
    if (command !== undefined) lines.push(command);
  }
  if (manager !== undefined && managed.length > 0) lines.push(managerCommand(manager, managed, place));
  for (const tool of tools) {
    if (own[tool] === undefined && !managed.includes(tool)) lines.push(`install ${websites[tool]}`);
  }
  return lines.join('\n');
}

/** The running machine as an {@link InstallPlace}. */
export function currentPlace(): InstallPlace {
  return { platform: process.platform, environment: process.env, isRoot: process.getuid?.() === 0 };
}

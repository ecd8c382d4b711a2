// What has to travel to the machine of the GPU check, and what of the package need not.

/** Parts of the package that neither the build on Linux nor the library at run time reads. */
const unneeded = [
  /^prebuilds\//,
  /^dist\/cli\//,
  /\.d\.ts$/,
  /\.map$/,
  /^vendor\/llama\.cpp\/ggml\/src\/ggml-metal\//,
  /^README/,
];

/** Beside the package: the check itself, and headers that cmake-js would otherwise find. */
const additions = [
  'scripts/gpu-check',
  'node_modules/node-api-headers/package.json',
  'node_modules/node-api-headers/include',
  'node_modules/node-addon-api/package.json',
  'node_modules/node-addon-api/napi.h',
  'node_modules/node-addon-api/napi-inl.h',
  'node_modules/node-addon-api/napi-inl.deprecated.h',
];

/** The tools of llama.cpp that cmake/tools.cmake adds: CMake wants the folders of all, also of those not compiled. */
export function toolDirectories(toolsCMake) {
  const names = /foreach\(tool ([^)]*)\)/.exec(toolsCMake)?.[1];
  if (names === undefined) throw new Error('Expected foreach(tool …) in cmake/tools.cmake, found none.');
  return names
    .trim()
    .split(/\s+/)
    .map((name) => `vendor/llama.cpp/tools/${name}`);
}

/**
 * Paths below the root, files and folders.
 *
 * @param {string[]} packageFiles what npm would put into the package
 * @param {string} toolsCMake content of cmake/tools.cmake
 */
export function listTravelling(packageFiles, toolsCMake) {
  const needed = packageFiles.filter((path) => !unneeded.some((pattern) => pattern.test(path)));
  return [...needed, ...toolDirectories(toolsCMake), ...additions];
}

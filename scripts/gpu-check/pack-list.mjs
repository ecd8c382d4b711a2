// What has to travel to the machine of the GPU check, and what of the package need not.

/** What neither the build on Linux nor the library at run time reads. */
const unneeded = [
  /^prebuilds(\/|$)/,
  /^dist\/cli(\/|$)/,
  /^README/,
  /\.d\.ts$/,
  /\.map$/,
  /^vendor\/llama\.cpp\/ggml\/src\/ggml-metal(\/|$)/,
  /^vendor\/llama\.cpp\/tools\/ui\/(src|static|tests)(\/|$)/,
  /^vendor\/llama\.cpp\/.*\.(png|jpe?g|webp|pdf|mp[34]|ico)$/,
];

/**
 * Beside the package: the check itself, the headers that cmake-js would otherwise find, and llama.cpp's programs. All
 * of those, because CMake wants to see the folder of each one that cmake/tools.cmake adds, compiled or not.
 */
const additions = [
  'scripts/gpu-check',
  'node_modules/node-api-headers/package.json',
  'node_modules/node-api-headers/include',
  'node_modules/node-addon-api/package.json',
  'node_modules/node-addon-api/napi.h',
  'node_modules/node-addon-api/napi-inl.h',
  'node_modules/node-addon-api/napi-inl.deprecated.h',
  'vendor/llama.cpp/tools',
  'vendor/llama.cpp/examples',
];

/** True for a file or folder, given by its path below the root with slashes, that has to travel. */
export function isNeeded(path) {
  return !unneeded.some((pattern) => pattern.test(path));
}

/**
 * Paths below the root, files and folders. Of what is in the folders, only what {@link isNeeded} says.
 *
 * @param {string[]} packageFiles what npm would put into the package
 */
export function listTravelling(packageFiles) {
  return [...packageFiles.filter(isNeeded), ...additions];
}

import { getAddon, getAddonPath, type NativeDevice } from './addon.js';

/** A device that can hold a model: the processor, a graphics card. Sizes in bytes. */
export type Device = NativeDevice;

/** What this build of the package is and what it found on this machine. */
export interface SystemInfo {
  /** Version of the llama.cpp inside. */
  readonly llamaCppVersion: string;
  /** Absolute path of the loaded .node file. */
  readonly addonPath: string;
  /** Instruction sets of the processor that are used, such as `AVX2 FMA`. */
  readonly cpuFeatures: string;
  /** True if a GPU backend is loaded. */
  readonly supportsGpuOffload: boolean;
}

/**
 * Lists the devices of all loaded backends, with their free and total memory.
 * @throws AddonError if the addon cannot be loaded.
 */
export async function getDevices(): Promise<Device[]> {
  return getAddon().getDevices();
}

/**
 * Tells which llama.cpp is inside, where the addon lies and what it uses of the processor.
 * @throws AddonError if the addon cannot be loaded.
 */
export async function getSystemInfo(): Promise<SystemInfo> {
  const { llamaCppVersion, cpuFeatures, supportsGpuOffload } = getAddon().getSystemInfo();
  return { llamaCppVersion, addonPath: getAddonPath(), cpuFeatures, supportsGpuOffload };
}

/** The last 200 lines that llama.cpp logged in this process, for a report of a problem. */
export async function getNativeLog(): Promise<string[]> {
  return [...getAddon().getSystemInfo().log];
}

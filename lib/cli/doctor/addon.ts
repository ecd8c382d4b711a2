import type { Device, SystemInfo } from '../../index.js';
import type { Library } from '../library.js';
import { formatBytes } from '../terminal/format.js';
import { type Check, messageOf } from './check.js';

/** How the addon came to be where it is. */
export function describeVariant(addonPath: string): string {
  const folders = addonPath.split(/[\\/]/);
  if (folders.includes('prebuilds')) {
    return 'prebuilt';
  }
  if (folders.includes('build-cuda')) {
    return 'compiled here with CUDA';
  }
  return folders.includes('Release') || folders.includes('Debug')
    ? 'compiled here'
    : 'from LLAMA_NATIVE_ADDON';
}

/** Whether the addon loads, and what it then says about processor and devices. */
export async function checkAddon(library: Library): Promise<Check[]> {
  let info: SystemInfo;
  try {
    info = await library.getSystemInfo();
  } catch (error) {
    // The message of the library already says what to type on this machine.
    return [{ name: 'Addon', status: 'failed', detail: messageOf(error), remedy: 'llama-native build' }];
  }
  const variant = describeVariant(info.addonPath);
  const addon: Check = {
    name: 'Addon',
    status: 'ok',
    detail: `${info.addonPath} (${variant}), llama.cpp ${info.llamaCppVersion}`,
    facts: { path: info.addonPath, variant, llamaCppVersion: info.llamaCppVersion },
  };
  const features: Check = {
    name: 'CPU features',
    status: 'ok',
    detail: info.cpuFeatures,
    facts: { cpuFeatures: info.cpuFeatures },
  };
  return [addon, features, await checkDevices(library)];
}

async function checkDevices(library: Library): Promise<Check> {
  const name = 'Devices';
  try {
    const devices = await library.getDevices();
    return devices.length > 0
      ? { name, status: 'ok', detail: devices.map(describeDevice).join('\n'), facts: { devices } }
      : { name, status: 'failed', detail: 'none found', remedy: 'build the addon again: llama-native build' };
  } catch (error) {
    return { name, status: 'failed', detail: messageOf(error), remedy: 'llama-native build' };
  }
}

function describeDevice(device: Device): string {
  const memory =
    device.totalBytes > 0
      ? `, ${formatBytes(device.freeBytes)} of ${formatBytes(device.totalBytes)} free`
      : '';
  return `${device.name}: ${device.description} (${device.kind}, ${device.backend}${memory})`;
}

/** Which machine, and which Node.js, this process runs on; as far as it decides what native code fits. */
export interface Host {
  /** As in `process.platform`. */
  readonly platform: NodeJS.Platform;
  /** As in `process.arch`. */
  readonly arch: string;
  /** The C library, on Linux only. */
  readonly libc: 'glibc' | 'musl' | undefined;
  /** Version of glibc, such as `2.36`; undefined elsewhere. */
  readonly libcVersion: string | undefined;
  /** Version of Node.js, such as `v20.20.2`. */
  readonly nodeVersion: string;
}

function readGlibcVersion(): string | undefined {
  const { report } = process;
  // The report's network section resolves host names, which can take seconds.
  const withNetwork = 'excludeNetwork' in report ? report.excludeNetwork : undefined;
  if (withNetwork !== undefined) Object.assign(report, { excludeNetwork: true });
  const content: object = report.getReport();
  if (withNetwork !== undefined) Object.assign(report, { excludeNetwork: withNetwork });
  const header: unknown = 'header' in content ? content.header : undefined;
  if (typeof header !== 'object' || header === null || !('glibcVersionRuntime' in header)) return undefined;
  return String(header.glibcVersionRuntime);
}

/** Looks at the running process. Takes a few milliseconds on Linux, where the C library has to be asked for. */
export function inspectHost(): Host {
  const libcVersion = process.platform === 'linux' ? readGlibcVersion() : undefined;
  const libc = libcVersion === undefined ? 'musl' : 'glibc';
  return {
    platform: process.platform,
    arch: process.arch,
    libc: process.platform === 'linux' ? libc : undefined,
    libcVersion,
    nodeVersion: process.version,
  };
}

/** The host in one phrase, for messages: `linux x64 (glibc 2.36), Node.js v20.20.2`. */
export function describeHost(host: Host): string {
  const libc = host.libc === undefined ? '' : ` (${[host.libc, host.libcVersion].filter(Boolean).join(' ')})`;
  return `${host.platform} ${host.arch}${libc}, Node.js ${host.nodeVersion}`;
}

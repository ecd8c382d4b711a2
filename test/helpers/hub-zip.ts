import { deflateRawSync } from 'node:zlib';

/** One file of a zip archive. */
export interface ZipFile {
  name: string;
  bytes: Buffer;
  /** 0 is stored, 8 deflated. Default 8. */
  method?: number;
}

/** A zip archive as Python's zipfile writes it, with as much of the format as a wheel uses. */
export function makeZip(files: readonly ZipFile[], comment = ''): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, method = 8 } of files) {
    const data = method === 8 ? deflateRawSync(bytes) : bytes;
    // An extra field in the local header alone: the two headers need not agree on it.
    const extra = Buffer.from([0xfe, 0xca, 0x02, 0x00, 0x00, 0x00]);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(method, 8);
    header.writeUInt32LE(data.length, 18);
    header.writeUInt32LE(bytes.length, 22);
    header.writeUInt16LE(Buffer.byteLength(name), 26);
    header.writeUInt16LE(extra.length, 28);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt32LE(bytes.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt32LE(offset, 42);
    local.push(header, Buffer.from(name), extra, data);
    central.push(entry, Buffer.from(name));
    offset += header.length + Buffer.byteLength(name) + extra.length + data.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(Buffer.byteLength(comment), 20);
  return Buffer.concat([...local, directory, end, Buffer.from(comment)]);
}

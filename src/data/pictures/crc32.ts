/** The checksum of PNG's chunks: CRC-32. Source: ISO 3309, ITU-T V.42; PNG Specification, annex D. */

/** Of each byte with 0 to 7 zeros behind it, [8, 256]: so eight bytes are taken at once. */
const crcTable = new Uint32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  crcTable[byte] = crc;
}
for (let at = 256; at < crcTable.length; at++) {
  const shorter = crcTable[at - 256];
  crcTable[at] = crcTable[shorter & 255] ^ (shorter >>> 8);
}

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc =
      crcTable[1792 + (crc & 255)] ^
      crcTable[1536 + ((crc >>> 8) & 255)] ^
      crcTable[1280 + ((crc >>> 16) & 255)] ^
      crcTable[1024 + (crc >>> 24)] ^
      crcTable[768 + bytes[at + 4]] ^
      crcTable[512 + bytes[at + 5]] ^
      crcTable[256 + bytes[at + 6]] ^
      crcTable[bytes[at + 7]];
  }
  for (; at < bytes.length; at++) crc = crcTable[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * The Huffman tables of ITU-T T.81, annex K.3: made for typical photographs, used by most cameras, and meant where a file
 * (a frame of Motion JPEG) brings none.
 */
import type { HuffmanDefinition } from './huffman-table.js';

const bytes = (hexadecimal: string): Uint8Array =>
  Uint8Array.from(hexadecimal.match(/\w\w/g) ?? [], (pair) => Number.parseInt(pair, 16));

const table = (counts: string, symbols: string): HuffmanDefinition => ({
  counts: bytes(counts),
  symbols: bytes(symbols),
});

/** For the first coefficients (DC) of luminance and of chrominance. */
export const standardDcTables = [
  table('00010501010101010100000000000000', '000102030405060708090a0b'),
  table('00030101010101010101010000000000', '000102030405060708090a0b'),
];

/** For the other coefficients (AC) of luminance and of chrominance. */
export const standardAcTables = [
  table(
    '0002010303020403050504040000017d',
    `01020300 0411051221314106 13516107227114328191a108 2342b1c11552d1f0 24336272 82 090a161718191a25262728292a
     3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a
     92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9da
     e1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa`,
  ),
  table(
    '00020102040403040705040400010277',
    `00010203 1104052131061241510761711322328108144291a1b1c109233352f0 156272d1 0a162434 e1 25f1
     1718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a
     737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aa
     b2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa`,
  ),
];

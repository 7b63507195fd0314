/** The contact sheet of an audit: a row of pictures for each finding that is about pictures. */
import type { Finding } from './report.js';
import { contactSheet, type SheetRow } from './contact-sheet.js';
import { decode } from '../pictures/decode.node.js';
import { encodePng } from '../pictures/encode-png.node.js';
import type { Picture } from '../pictures/picture.js';
import { readPictureBytes } from '../pictures/read-picture.node.js';

const CELL = 112;
const LONGEST_ROW = 10;

/**
 * @param findings numbered from 1 in their order, as the rows of the sheet are
 * @returns a PNG, or null when no finding has a picture that can be shown
 */
export function auditSheet(findings: readonly Finding[]): Uint8Array | null {
  const rows = findings.flatMap((finding, index): SheetRow[] => {
    const pictures = examples(finding).flatMap(readIfPossible);
    return pictures.length === 0 ? [] : [{ number: index + 1, pictures }];
  });
  return rows.length === 0 ? null : encodePng(contactSheet(rows, CELL));
}

/** Some files of as many groups as a row can show two of. */
function examples({ groups }: Finding): string[] {
  const shown = groups.slice(0, LONGEST_ROW / 2);
  const each = Math.floor(LONGEST_ROW / Math.max(1, shown.length));
  return shown.flatMap((files) => files.slice(0, each));
}

function readIfPossible(file: string): Picture[] {
  try {
    return [decode(readPictureBytes(file), file)];
  } catch {
    return []; // a file that cannot be used, or a row of a practice set
  }
}

/** The contact sheet of an audit: the pictures of each finding, under the finding's words. */
import { expectArray, listOf, objectWith } from '../../expect.js';
import { basename } from 'node:path';
import type { Finding } from './report.js';
import { expectLists, type AuditedList } from './audit-folders.node.js';
import { contactSheet, type SheetCell, type SheetGroup } from './contact-sheet.js';
import { decode } from '../pictures/decode.js';
import { encodePng } from '../pictures/encode-png.node.js';
import { readPictureBytes } from '../pictures/read-picture.node.js';

const LONGEST_ROW = 8;
const TOGETHER = 2;
const roleMarks = { training: 'training', validation: 'test', pictures: 'plain' } as const;

/**
 * @param findings numbered from 1 in their order
 * @param lists what was audited: tells each file's class, and what it is for
 * @returns a PNG, or null when no finding has a picture that can be shown
 */
export function auditSheet(findings: readonly Finding[], lists: readonly AuditedList[]): Uint8Array | null {
  expectArray(findings, 'auditSheet: findings');
  listOf(objectWith({ groups: listOf(expectArray) }))(findings, 'auditSheet: findings');
  expectArray(lists, 'auditSheet: lists');
  expectLists(lists, 'auditSheet: lists');
  const about = new Map(
    lists.flatMap(({ role, classNames, files }) =>
      files.map(({ path, label }) => [path, { role, className: classNames[label] ?? '' }] as const),
    ),
  );
  const cellOf = (file: string): SheetCell[] => {
    try {
      const { role = 'pictures', className = '' } = about.get(file) ?? {};
      return [
        {
          picture: decode(readPictureBytes(file), file),
          caption: [basename(file), className],
          mark: { text: role === 'validation' ? 'test' : role, colour: roleMarks[role] },
        },
      ];
    } catch {
      return []; // a file that cannot be used, or a row of a practice set
    }
  };
  const groups = findings.flatMap((finding, index): SheetGroup[] => {
    const cells = examples(finding).flatMap(cellOf);
    const heading = `${index + 1}. ${finding.severity}, ${finding.kind}: ${finding.message}`;
    return cells.length === 0 ? [] : [{ heading, note: finding.advice, cells }];
  });
  if (groups.length === 0) return null;
  const names = lists.map(({ name, files }) => `${name} (${files.length})`).join(', ');
  return encodePng(
    contactSheet({
      title: `Audit: ${names}`,
      notes: [`${findings.length} findings; files of a group stand side by side`],
      groups,
    }),
  );
}

/** Some files of as many groups as a row can show two of. */
function examples({ groups }: Finding): string[] {
  const shown = groups.slice(0, LONGEST_ROW / TOGETHER);
  const each = Math.floor(LONGEST_ROW / Math.max(1, shown.length));
  return shown.flatMap((files) => files.slice(0, each));
}

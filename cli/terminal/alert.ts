/** The class that raises the alert: the one asked for, else the second, and that is said. */
import { UsageError } from '../../src/errors.js';
import { note, quoted } from './output.js';

/** @throws UsageError for a name that is none of the classes' */
export function resolveAlertClass(classNames: readonly string[], given: string | undefined): string {
  if (given === undefined) return classNames[1];
  if (classNames.includes(given)) return given;
  throw new UsageError(
    `--alert-class: expected one of the classes ${classNames.map((name) => `'${name}'`).join(', ')}, got '${given}'`,
  );
}

/** Says which class raises the alert when nobody chose one. */
export function noteAlertClass(classNames: readonly string[]): void {
  note(
    `note: '${classNames[1]}' raises the alert, since it is class 1 by name and --alert-class was not given; ` +
      `if it should be ${classNames.length > 2 ? 'another, such as ' : ''}'${classNames[0]}', add --alert-class ${quoted(classNames[0])}`,
  );
}

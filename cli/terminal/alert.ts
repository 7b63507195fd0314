/** What is said of the class that raises the alert. */
import { note, quoted } from './output.js';

/** Says which class raises it when nobody chose one. */
export function noteAlertClass(classNames: readonly string[]): void {
  note(
    `note: '${classNames[1]}' raises the alert, since it is class 1 by name and --alert-class was not given; ` +
      `if it should be ${classNames.length > 2 ? 'another, such as ' : ''}'${classNames[0]}', add --alert-class ${quoted(classNames[0])}`,
  );
}

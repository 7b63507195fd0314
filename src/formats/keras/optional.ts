/** Libraries that only some users need: they may be left out of an installation. */
import { UsageError } from '../../errors.js';

/** @throws UsageError saying what to install, when the library is missing */
export async function loadOptional<Library>(
  name: string,
  purpose: string,
  load: () => Promise<Library>,
): Promise<Library> {
  try {
    return await load();
  } catch (cause) {
    throw new UsageError(
      `${purpose} needs the optional package ${name}, which cannot be loaded; run: npm install ${name}`,
      {
        cause,
      },
    );
  }
}

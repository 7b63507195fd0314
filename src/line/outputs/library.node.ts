/** Libraries that only some outputs need: loaded when one is configured. */
import { UsageError } from '../../errors.js';

/** @throws UsageError where it is not installed */
export async function library<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError(
      `outputs: expects the package ${name}, which is not installed; "npm install ${name}" brings it`,
    );
  }
}

/** Once before the browser tests: a Chromium must be there. None is a failure, never a skip. */
import { findChromium } from '../../scripts/machine.mjs';

export default function setup(): void {
  if (!findChromium()) {
    throw new Error(
      'the browser tests need Chromium or Chrome; none is in the usual places. Install one, or set BELTNET_CHROMIUM to its path',
    );
  }
}

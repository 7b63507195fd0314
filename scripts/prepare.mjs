/** npm's `prepare`: builds a fresh clone, so that the command works right after `npm ci`. */
import { hasTool } from './steps.mjs';

// `npm ci --omit=dev` leaves the compilers out: then there is nothing to build with, and nothing to do.
if (hasTool('typescript') && hasTool('assemblyscript')) await import('./build.mjs');

/** Preloaded (`node --import`) into a program that is measured: as it ends it writes its peak memory to file descriptor 3. */
import { writeSync } from 'node:fs';

process.once('exit', () => writeSync(3, String(process.resourceUsage().maxRSS * 1024)));

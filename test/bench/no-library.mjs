/** A peer whose library is not installed. */
import { serve } from '../../bench/peers/serve.mjs';

await serve({ open: () => import('a-library-that-nobody-has') });

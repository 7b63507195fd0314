/** Put in place by vite.config.js: the version of package.json. */
declare const BELTNET_VERSION: string;
/** SHA-256 of the kernels that it was built with, as `kernelsDigest` gives it. */
declare const BELTNET_KERNELS: string;

/** Put in place by vite.config.js: the version of package.json. */
declare const BELTNET_VERSION: string;

/** Set by the build: e.js leaves out what e.full.js and the module carry. */
declare const FULL: boolean;

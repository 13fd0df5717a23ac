/**
 * How many forwarding threads the tests' data planes have: `npm run test:workers` says 2. Daemons read the variable
 * themselves.
 */
export const WORKERS = Number(process.env.PODWIRE_WORKERS || 1);

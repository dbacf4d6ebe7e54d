export type * from "../database/database.ts";
export { database, migrate, openPostgres } from "../database/database.ts";

export { type Database, database, openPostgres, type PostgresOptions, type TablesOptions } from "../database/database.ts";
export { migrate } from "../database/migrate.ts";

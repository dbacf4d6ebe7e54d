export { openEmbedded } from "../database/database.ts";

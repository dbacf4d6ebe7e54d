import { database } from "../../mixins/database/database.ts";
import { config } from "../../runtime/config.ts";
import { embedded, limits, postgres, runsService } from "../../runtime/drivers.ts";
import { secretInFile, secretInTable } from "./users.jwt-secret.ts";
import { sqlUsers } from "./users.store.ts";
import { users } from "./users.ts";

const secret = () => config.jwtSecret ?? (embedded ? secretInFile(config.dataDir) : secretInTable(postgres().knex));

export default users(sqlUsers(postgres().knex), {
	secret,
	limits: limits(),
	mixins: [database(postgres(), new URL("./migrations/", import.meta.url))],
	sweeps: runsService("users")
});

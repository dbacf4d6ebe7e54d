import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fresh } from "../../test/client.ts";
import { freePorts } from "../../test/process.ts";
import { type Scratch, scratchPostgres } from "../../test/scratch.ts";
import { userCreate } from "./users.create.fixture.ts";

describe("npm run user:create on the cluster", () => {
	let opened: Scratch;
	before(async () => {
		opened = await scratchPostgres();
	});
	after(async () => {
		await opened.db.close();
		await opened.remove();
	});

	it("needs only Postgres, and creates missing tables", async () => {
		const [unusedPort] = await freePorts(1);
		const unreachable = { KAFKA_BROKERS: `127.0.0.1:${unusedPort}`, REDIS_URL: `redis://127.0.0.1:${unusedPort}` };
		const env = { PROFILE: "cluster", DATABASE_URL: opened.url as string, ...unreachable };
		const email = `${fresh("ann")}@example.org`;
		const create = () => userCreate(env, ["--email", email, "--admin"], "correct horse battery\n");
		const { code, out, err } = await create();
		assert.deepEqual([code, err], [0, ""]);
		assert.match(out, /admin: acct_/);
		assert.equal((await opened.db.knex("users").where({ email }).first()).role, "admin");
		const again = await create();
		assert.deepEqual([again.code, again.out], [1, ""]);
		assert.match(again.err, /^.*already.*\n$/);
	});
});

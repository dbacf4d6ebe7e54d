import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { scratchPostgres } from "../../test/scratch.ts";
import { newAccount } from "../../test/tokens.ts";
import { freshEmail, type Nodes, openNodes } from "./users.nodes.fixture.ts";

describe("the account store, while Postgres is too slow", () => {
	let nodes: Nodes;
	before(async () => {
		nodes = await openNodes(await scratchPostgres());
	});
	after(() => nodes?.stop());

	it("rejects with an error that contains no value of the statement", async () => {
		// Not with a lock: the lock timeout of Postgres is close to the timeout of knex, and gives another error.
		await nodes.knex.raw(`
			create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(4); return new; end $$;
			create trigger dawdle before insert on users for each row execute function dawdle()`);
		const account = { id: newAccount(), email: freshEmail(), name: "Ann", role: "user", passwordHash: "a hash" } as const;
		const error: Error = await nodes.store.add(account).then(
			() => assert.fail("stored"),
			thrown => thrown
		);
		assert.equal(error.name, "KnexTimeoutError");
		const printed = inspect(error, { depth: null });
		assert.ok(!printed.includes(account.email) && !printed.includes(account.passwordHash), printed);
	});
});

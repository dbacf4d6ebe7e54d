import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { scratchPostgres } from "../../test/scratch.ts";
import { newAccount } from "../../test/tokens.ts";
import { freshEmail, type Nodes, openNodes } from "./users.nodes.fixture.ts";

describe("the store of accounts, while Postgres is too slow", () => {
	let nodes: Nodes;
	before(async () => {
		nodes = await openNodes(await scratchPostgres());
	});
	after(() => nodes?.stop());

	it("rejects with an error that shows nothing of what was to be kept", async () => {
		const locked = await nodes.knex.transaction();
		try {
			await locked.raw("lock table users");
			const account = { id: newAccount(), email: freshEmail(), name: "Ann", role: "user", passwordHash: "a hash" } as const;
			const error: Error = await nodes.store.add(account).then(
				() => assert.fail("stored"),
				refused => refused
			);
			assert.equal(error.name, "KnexTimeoutError");
			const shown = inspect(error, { depth: null });
			assert.ok(!shown.includes(account.email) && !shown.includes(account.passwordHash), shown);
		} finally {
			await locked.rollback();
		}
	});
});

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { openEmbedded } from "../database/embedded.ts";
import { outboxSuite } from "./outbox.suite.ts";
import type { PendingMessage } from "./outbox.ts";
import { fill } from "./relay-loop.ts";

outboxSuite("embedded", async () => {
	const dir = await mkdtemp(join(tmpdir(), "outbox-"));
	const database = openEmbedded(dir);
	const close = async () => {
		await database.close();
		await rm(dir, { recursive: true });
	};
	return { database, close };
});

it("puts as many messages into one append as fit, and a message that does not fit into an append of its own", () => {
	const message = (value: string): PendingMessage => ({ id: "1", record: { topic: "t", key: "k", value } });
	const [small, large] = [message("12345"), message("x".repeat(100))];
	assert.equal(fill([], 12).length, 0);
	assert.equal(fill([small, small], 12).length, 2);
	assert.equal(fill([small, small, small], 12).length, 2);
	assert.equal(fill([small, large, small], 12).length, 1);
	assert.equal(fill([large, small], 12).length, 1);
});

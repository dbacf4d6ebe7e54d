import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "../../test/client.ts";
import type { Lease } from "./lease.ts";
import type { Outbox, PendingMessage } from "./outbox.ts";
import { startRelay } from "./relay-loop.ts";

it("a relay reads many large messages about once, not again for every append that they need", async () => {
	const value = "x".repeat(64 * 1024);
	let table: PendingMessage[] = Array.from({ length: 200 }, (_, n) => ({
		id: String(n),
		record: { topic: "orders", key: "key", value }
	}));
	const reads: number[] = [];
	const outbox = {
		table: "outbox",
		knex: {},
		onCommit: () => () => {},
		next: async (limit: number, sent: string[] = []) => {
			table = table.filter(({ id }) => !sent.includes(id));
			const oldest = table.slice(0, limit);
			reads.push(oldest.length);
			return oldest;
		}
	} as unknown as Outbox;
	const lease = { acquire: async () => "fence", release: async () => {} } as unknown as Lease;
	const published: unknown[] = [];
	const log = { append: async (records: unknown[]) => void published.push(...records) };
	const quiet = { debug() {}, info() {}, warn() {} };
	const relay = startRelay(outbox, log, lease, quiet, { least: 1, most: 1_000 });
	await eventually(() => assert.equal(published.length, 200), "all messages to be published");
	await relay.stop();
	assert.deepEqual(table, []);
	const [first, ...rest] = reads;
	assert.equal(first, 200);
	const again = rest.reduce((sum, read) => sum + read, 0);
	assert.ok(again <= 2 * 200, `${again} messages read after the first poll: ${reads}`);
});

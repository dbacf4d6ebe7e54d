// How many statements publishing costs.
import assert from "node:assert/strict";
import { it } from "node:test";
import { leaseOf } from "./lease.ts";
import { contracts, entry, HOURLY, numbers, recordingLog, type Testbed, until } from "./outbox.fixture.ts";
import { type Outbox, outbox } from "./outbox.ts";
import { leaseTable } from "./schema.ts";

/** Counts the statements on this knex while `work` runs. */
async function statementsOf<T>({ knex }: Outbox, work: () => Promise<T>) {
	let statements = 0;
	const count = () => {
		statements++;
	};
	knex.on("query", count);
	try {
		return { answer: await work(), statements };
	} finally {
		knex.removeListener("query", count);
	}
}

export const statementsSuite = ({ fresh, put, node, isEmpty }: Testbed) => {
	it("reads once for a commit, and deletes what it has published when it reads the next time", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		const polls: { sent: number; read: number }[] = [];
		const counted: Outbox = {
			...box,
			async next(limit, sent = []) {
				const messages = await box.next(limit, sent);
				polls.push({ sent: sent.length, read: messages.length });
				return messages;
			}
		};
		await node(counted, log, { pollMs: HOURLY });
		await until(() => polls.length === 1, "the first poll");
		for (let n = 1; n <= 3; n++) {
			// A statement that adds no message is no reason to read.
			await box.addInStatement([], async () => {});
			// A read would take its place before these two.
			for (let waits = 0; waits < 2; waits++) await box.ageMs();
			await put(box, entry("a", n));
			// Without another commit, the poll that deletes follows by itself.
			await until(() => polls.length === 1 + 2 * n, `the two polls for message ${n}`);
		}
		const perMessage = [
			{ sent: 0, read: 1 },
			{ sent: 1, read: 0 }
		];
		assert.deepEqual(polls, [{ sent: 0, read: 0 }, ...perMessage, ...perMessage, ...perMessage]);
		assert.deepEqual(numbers(log.records), [1, 2, 3]);
	});

	it("deletes and reads the messages of several outboxes with one statement", async () => {
		const boxes = [await fresh(), await fresh(), await fresh()] as const;
		const sent: string[][] = [];
		for (const [n, box] of boxes.entries()) {
			await put(box, entry("a", n), entry("b", 10 + n));
			sent.push([(await box.next(1))[0]!.id]);
		}
		const { answer, statements } = await statementsOf(boxes[0], () => Promise.all(boxes.map((box, n) => box.next(5, sent[n]))));
		assert.equal(statements, 1);
		assert.deepEqual(
			answer.map(messages => numbers(messages.map(({ record }) => record))),
			[[10], [11], [12]]
		);
		for (const box of boxes) assert.equal((await box.next(5)).length, 1);
	});

	it("takes and renews the leases of several outboxes with one statement", async () => {
		const boxes = [await fresh(), await fresh()] as const;
		const leases = boxes.map(box => leaseOf(box, "node"));
		const taken = await statementsOf(boxes[0], () => Promise.all(leases.map(lease => lease.acquire())));
		assert.deepEqual(taken, { answer: ["1", "1"], statements: 1 });
		const released = await statementsOf(boxes[0], () => Promise.all(leases.map(lease => lease.release())));
		assert.equal(released.statements, 1);
	});

	it("reads the other outboxes when the table of one is missing", async () => {
		const box = await fresh();
		await put(box, entry("a", 1));
		const missing = outbox(box.knex, { contracts, table: `${box.table}_missing` });
		const [found, error] = await Promise.allSettled([box.next(1), missing.next(1)]);
		assert.equal(found.status === "fulfilled" && found.value.length, 1);
		assert.match(String(error.status === "rejected" && error.reason), /does not exist/);
	});

	it("reads the other outboxes when the statement of one fails for any reason", async () => {
		const [box, other] = [await fresh(), await fresh()];
		await put(box, entry("a", 1));
		const [found, error] = await Promise.allSettled([box.next(1), other.run({ sql: "select 1 / 0 as n", bindings: [] })]);
		assert.equal(found.status === "fulfilled" && found.value.length, 1);
		assert.match(String(error.status === "rejected" && error.reason), /division by zero/);
	});

	it("publishes without a lease when no other process can open the database, and runs no statement for one", async () => {
		const [box, log] = [await fresh(), recordingLog()];
		// A process that was killed under another name has left its lease.
		assert.ok(await leaseOf(box, "killed").acquire());
		const [before] = await box.knex(leaseTable(box.table));
		await node(box, log, { pollMs: HOURLY, isAlone: true });
		await put(box, entry("a", 1));
		await until(() => isEmpty(box), "it to be published");
		assert.deepEqual(numbers(log.records), [1]);
		assert.deepEqual(await box.knex(leaseTable(box.table)), [before]);
	});
};

// What `npm run bench -- questions` counts, on the embedded profile: each statement, frame and timer once.
import assert from "node:assert/strict";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { WebSocket, WebSocketServer } from "ws";
import { countQuestions } from "../bench/measures/questions.ts";
import { countDrivers, shortened } from "../bench/questions/count-drivers.ts";
import { countTimers } from "../bench/questions/count-timers.ts";
import { type Counts, difference, totalOf } from "../bench/questions/counts.ts";
import { tableOf } from "../bench/questions/table.ts";
import { scratchDataDir, scratchEmbedded } from "./scratch.ts";

const root = join(import.meta.dirname, "..");

describe("the counts of requests, embedded", () => {
	const counts: Counts = {};
	before(async () => {
		countTimers(counts);
		await countDrivers(root, counts);
	});
	/** What the work has added. */
	const during = async (work: () => Promise<unknown>) => {
		const start = structuredClone(counts);
		await work();
		return difference(start, counts);
	};

	it("count each statement on the embedded Postgres once, BEGIN and COMMIT too", async () => {
		const { db, remove } = await scratchEmbedded();
		await db.knex.raw("select 1");
		const { "Postgres statements": statements } = await during(async () => {
			await db.knex.raw("select ?::int as answer", [42]);
			await db.knex.transaction(trx => trx.raw("select 43 as answer"));
		});
		await db.close();
		await remove();
		assert.equal(statements?.["select $1::int as answer"], 1);
		assert.equal(statements?.["select 43 as answer"], 1);
		assert.equal(statements?.["BEGIN;"], 1);
		assert.equal(statements?.["COMMIT;"], 1);
	});

	it("count a statement that does not come through pg", async () => {
		const dir = await scratchDataDir();
		const pglite = await PGlite.create(join(dir, "postgres"));
		const { "Postgres statements": statements } = await during(() => pglite.query("select 44 as answer"));
		await pglite.close();
		await rm(dir, { recursive: true });
		assert.deepEqual(statements?.["PGlite: select 44 as answer"], 1);
	});

	it("count each frame of a WebSocket by its type", async () => {
		const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
		await once(server, "listening");
		const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
		const [accepted] = (await once(server, "connection")) as [WebSocket];
		const { frames } = await during(async () => {
			const received = once(client, "message");
			accepted.send("one");
			await received;
		});
		client.terminate();
		server.close();
		assert.deepEqual(frames, { text: 1 });
	});

	it("count each timer by the file that sets it, and an interval each time it is due", async () => {
		const file = "test/request-counts.test.ts";
		const { timers, immediates } = await during(async () => {
			await delay(1);
			await new Promise(resolve => setTimeout(resolve, 1));
			await new Promise(resolve => setImmediate(resolve));
			await new Promise<void>(resolve => {
				let rest = 3;
				const interval = setInterval(() => {
					if (--rest > 0) return;
					clearInterval(interval);
					resolve();
				}, 1);
			});
		});
		assert.equal(timers?.[file], 5);
		assert.equal(immediates?.[file], 1);
	});

	it("show lists of any length alike", () => {
		assert.equal(shortened("select *\n\tfrom a where b in ($1, $2,$3)"), "select * from a where b in ($1, …)");
		assert.equal(shortened("insert into a values (?, ?), (?, ?)"), "insert into a values (?, …), …");
	});

	it("belong to the event that caused them, in a whole system", async () => {
		const events = 2;
		const { idle, kinds } = await countQuestions("embedded", { events, idleMs: 500, system: root });
		assert.deepEqual(Object.keys(kinds), ["pick", "synchronization", "purchase", "order", "hold", "confirm", "message"]);
		for (const [kind, { counts }] of Object.entries(kinds)) {
			assert.ok((counts.frames?.text ?? 0) >= events, `${kind}: every event sends its client a frame`);
			assert.ok(totalOf(counts, "Postgres statements") > 0, `${kind}: its record is stored`);
		}
		const used = Object.keys({ ...idle.counts, ...kinds.pick?.counts });
		assert.deepEqual(
			used.filter(
				resource => /Kafka|Cassandra|Redis/.test(resource) && totalOf(kinds.pick!.counts, resource as "Kafka Fetch") > 0
			),
			[]
		);
	});
});

describe("the table of requests", () => {
	const sample = (statements: Record<string, number>, events: number) => ({
		counts: { "Postgres statements": statements },
		events,
		seconds: 2
	});
	it("shows what an event adds to the idle system, and all that was sent meanwhile", () => {
		const idle = { ...sample({ poll: 50 }, 0), seconds: 10 };
		// In two seconds the idle system polls ten times: the eight are not more.
		const kinds = { pick: sample({ poll: 8, insert: 4 }, 4), purchase: sample({ poll: 12 }, 4) };
		assert.deepEqual(tableOf({ idle, kinds }), [
			"| for one             |      pick |  purchase | idle second |",
			"| ------------------- | --------: | --------: | ----------: |",
			"| Postgres statements | 1.0 (3.0) | 0.5 (3.0) |         5.0 |"
		]);
	});
});

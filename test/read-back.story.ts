// Reads the data that the cluster has written, with independent clients.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocketAs } from "./client.socket.ts";
import { eventually, expectStatus, fresh, httpClient } from "./client.ts";
import { type KafkaRecord, kafkaRecords, partitionsOf, psql, redis, withCassandra } from "./outside.ts";
import { startProcess } from "./process.ts";
import { countOf, waitUntilCounted } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

const TOPICS = ["Selections", "SelectionSummary", "Synchronizations", "SynchronizationResults", "user_purchase"];
const PURCHASES = "/api/purchases";
const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

export const readBackStory = (plaza: () => System) =>
	describe("read with independent clients", { concurrency: 4 }, () => {
		const post = (path: string, body: object, request: string) =>
			expectStatus(path === PURCHASES ? 201 : 202, httpClient(plaza().url).post(path, body, { "x-request-id": request }));
		const records = async (topic: string, sinceMs: number, of: (value: Record<string, unknown>) => boolean) =>
			(await kafkaRecords(topic, sinceMs)).filter(({ payload }) => of(JSON.parse(payload ?? "{}")));

		/** The record has exactly this key and value, and a header with the id of the request that caused it. */
		const assertRecord = (record: KafkaRecord | undefined, key: string, value: object, request: string) => {
			assert.deepEqual([record?.key, record?.payload], [key, JSON.stringify(value)]);
			assert.ok(Object.values(record?.headers ?? {}).includes(request), `no ${request} in ${JSON.stringify(record?.headers)}`);
		};

		it("Selections and SelectionSummary hold exactly the contract's messages, with its keys and the request id", async () => {
			const [name, user_id, id, request, startMs] = [ownName(), fresh("user"), fresh("pick"), fresh("request"), Date.now()];
			const before = await countOf(plaza(), name);
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			await post("/api/selections/async", { user_id, id, name }, request);
			await socket.waitFor(({ code }) => code === "SelectionSummary", "the count");
			for (const again of [1, 2, 3]) await post("/api/selections/async", { user_id, id, name }, `${request}-${again}`);
			await waitUntilCounted(plaza());

			const picked = await records("Selections", startMs, value => value.id === id);
			assertRecord(picked[0], id, { name, id, user_id }, request);
			const summaries = await records("SelectionSummary", startMs, value => value.user_id === user_id);
			assert.equal(summaries.length, 1, "a repeated pick was published");
			assertRecord(summaries[0], name, { name, count: before + 1, user_id }, request);
			socket.close();
		});

		it("Synchronizations and SynchronizationResults hold exactly the contract's messages", async () => {
			const [user_id, request, startMs] = [fresh("user"), fresh("request"), Date.now()];
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			await post("/api/selections/synchronization", { user_id }, request);
			await socket.waitFor(({ code }) => code === "SynchronizationResults", "the results");
			const mine = (value: Record<string, unknown>) => value.user_id === user_id;
			const asked = await records("Synchronizations", startMs, mine);
			assertRecord(asked[0], user_id, { user_id }, request);
			const [results, ...more] = await records("SynchronizationResults", startMs, mine);
			assert.deepEqual(more, []);
			const value = JSON.parse(results?.payload ?? "{}");
			assertRecord(
				results,
				user_id,
				{ user_id, selections: value.selections.map(({ name, count }: { name: string; count: number }) => ({ name, count })) },
				request
			);
			assert.deepEqual(
				value.selections.map(({ name }: { name: string }) => name),
				plaza().selectionNames
			);
			socket.close();
		});

		it("user_purchase, Postgres and Redis hold a user's purchases and total", async () => {
			const [user_id, request, startMs] = [fresh("buyer"), fresh("request"), Date.now()];
			const ids = [fresh("purchase"), fresh("purchase")];
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			await post(PURCHASES, { user_id, amount: 49.99, id: ids[0] }, request);
			const committed = await psql(`select amount_cents from purchases where user_id = ${quote(user_id)}`);
			assert.deepEqual(committed, [["4999"]], "the purchase was answered before its commit");
			await post(PURCHASES, { user_id, amount: 0.1, id: ids[1] }, `${request}-2`);
			await post(PURCHASES, { user_id, amount: 0.1, id: ids[1] }, `${request}-3`);
			await socket.waitFor(({ data }) => data?.balances?.total === 50.09, "the balance");

			const bought = await records("user_purchase", startMs, value => value.user_id === user_id);
			assert.equal(bought.length, 2);
			for (const [n, amount] of [49.99, 0.1].entries()) {
				const { created_at } = JSON.parse(bought[n]?.payload ?? "{}");
				assert.equal(new Date(created_at).toISOString(), created_at);
				assertRecord(bought[n], user_id, { id: ids[n], user_id, amount, created_at }, n === 0 ? request : `${request}-2`);
				const headerValues = Object.values(bought[n]?.headers ?? {});
				assert.ok(
					headerValues.includes(String(n + 1)) && headerValues.includes(["4999", "5009"][n] as string),
					`${headerValues}`
				);
			}
			assert.equal(await redis("hget", `wallet:${user_id}`, "total_cents"), "5009");
			const rows = await psql(
				`select id, user_id, amount_cents from purchases where user_id = ${quote(user_id)} order by created_at`
			);
			assert.deepEqual(rows, [
				[ids[0], user_id, "4999"],
				[ids[1], user_id, "10"]
			]);
			socket.close();
		});

		it("all topics have the configured number of partitions", async () => {
			for (const topic of TOPICS) assert.equal(await partitionsOf(topic), 12, topic);
		});

		it("Cassandra accepts the contract's insert", async () => {
			const [id, name] = [fresh("by-hand"), fresh("name")];
			const rows = await withCassandra(async client => {
				await client.execute("insert into selections (id, name) values (?, ?)", [id, name], { prepare: true });
				return (await client.execute("select count(1) as count from selections where name = ?", [name], { prepare: true })).rows;
			});
			assert.equal(Number(rows[0]?.count), 1);
		});
	});

/** It must run when no other test picks. */
export const idleStory = (plaza: () => System) =>
	describe("when the system is idle", () => {
		it("Cassandra's count(1), Postgres's summary and GET /selections agree", async () => {
			await waitUntilCounted(plaza());
			const listed = (await httpClient(plaza().url).get("/selections")).json as { name: string; count: number }[];
			const stored = await withCassandra(client =>
				Promise.all(
					listed.map(async ({ name }) => {
						const { rows } = await client.execute("select count(1) as count from selections where name = ?", [name], {
							prepare: true
						});
						return { name, count: Number(rows[0]?.count) };
					})
				)
			);
			assert.deepEqual(stored, listed);
			const rows = await psql("select name, count from selections_summary");
			const summary = new Map(rows.map(([name, count]) => [name, Number(count)]));
			assert.deepEqual(
				listed.map(({ name }) => ({ name, count: summary.get(name) })),
				listed
			);
		});

		it("a node with another number of partitions exits with one line that says so", async () => {
			const summary = plaza().process("summary");
			const odd = startProcess("odd", {
				...summary.env,
				NODE_ID: "odd",
				METRICS_PORT: "0",
				TOPIC_PARTITIONS: "5",
				SERVICES: "sync"
			});
			const { code } = await odd.waitForExit(60_000);
			assert.ok(code !== 0);
			const lines = odd
				.output()
				.split("\n")
				.filter(line => /partitions/i.test(line));
			assert.equal(lines.length, 1, odd.output());
			assert.match(lines[0] as string, /12 .*5 .*TOPIC_PARTITIONS/);
			await eventually(
				async () => assert.equal((await httpClient(plaza().url).get("/health")).status, 200),
				"the other nodes to be healthy"
			);
		});
	});

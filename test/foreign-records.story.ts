// Records that foreign clients write to our topics with kcat: without our headers or with invented ones, in the partition that librdkafka chooses.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { grpcClient } from "./client.grpc.ts";
import { openSocketAs } from "./client.socket.ts";
import { eventually, expectStatus, fresh, httpClient } from "./client.ts";
import { kafkaRecords, psql, putOnKafka } from "./outside.ts";
import { countOf, waitUntilCounted } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Payloads that no consumer can decode. */
const CORRUPT = [
	"not json",
	"{",
	"[]",
	"null",
	"7",
	'{"name":1}',
	"{}",
	'{"name":"a","id":"","user_id":"","amount":"1"}',
	`{"user_id":"${"x".repeat(65)}"}`
];

export const foreignRecordsStory = (plaza: () => System) =>
	describe("foreign records", { concurrency: 4 }, () => {
		const pick = (name: string, id: string, user_id: string) =>
			expectStatus(202, httpClient(plaza().url).post("/api/selections/async", { name, id, user_id }));
		async function total(user: string): Promise<number> {
			const grpc = grpcClient(plaza().grpc);
			const { balances } = (await grpc.getBalance(user).finally(grpc.close)) as { balances: { total: number } };
			return balances.total;
		}

		it("on Selections count and are pushed like our own, with a key, without a key, and with additional fields", async () => {
			const [name, user_id] = [ownName(), fresh("user")];
			const before = await countOf(plaza(), name);
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			const ids = [fresh("foreign"), fresh("foreign"), fresh("foreign")] as const;
			await putOnKafka("Selections", JSON.stringify({ name, id: ids[0], user_id }), ids[0]);
			await putOnKafka("Selections", JSON.stringify({ name, id: ids[1], user_id }));
			await putOnKafka("Selections", JSON.stringify({ more: [1], id: ids[2], user_id, name }), "another key");
			const shown = await socket.waitFor(({ data }) => data.count === before + 3, "all three to be counted");
			assert.deepEqual(shown, { code: "SelectionSummary", data: { name, count: before + 3, user_id } });
			socket.close();
		});

		it("on Selections count once together with our own record of the same id, in either order", async () => {
			const [name, user_id] = [ownName(), fresh("user")];
			const before = await countOf(plaza(), name);
			const [ownID, theirs] = [fresh("pick"), fresh("pick")];
			await pick(name, ownID, user_id);
			await putOnKafka("Selections", JSON.stringify({ name, id: theirs, user_id }), theirs);
			await eventually(async () => assert.equal(await countOf(plaza(), name), before + 2), "both to be counted");
			for (const key of [ownID, undefined, "one", "two", "three"])
				await putOnKafka("Selections", JSON.stringify({ name, id: ownID, user_id }), key);
			await pick(name, theirs, user_id);
			await waitUntilCounted(plaza());
			assert.equal(await countOf(plaza(), name), before + 2);
		});

		it("on Selections count once together with our own record of the same id, when both arrive at the same time", async () => {
			const [name, user_id] = [ownName(), fresh("user")];
			const before = await countOf(plaza(), name);
			const ids = Array.from({ length: 20 }, () => fresh("pick"));
			const theirs = (id: string) => putOnKafka("Selections", JSON.stringify({ name, id, user_id }), id);
			await Promise.all(ids.flatMap(id => [pick(name, id, user_id), theirs(id)]));
			await waitUntilCounted(plaza());
			assert.equal(await countOf(plaza(), name), before + ids.length);
		});

		it("on Synchronizations are answered", async () => {
			const user_id = fresh("user");
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			for (const [n, key] of [user_id, undefined].entries()) {
				await putOnKafka("Synchronizations", JSON.stringify({ user_id }), key);
				await eventually(() => assert.equal(socket.of("SynchronizationResults").length, n + 1), "the results");
			}
			socket.close();
		});

		it("on user_purchase count as purchases, once for each id, however often a record is repeated", async () => {
			const [user_id, id] = [fresh("buyer"), fresh("elsewhere")];
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			const value = JSON.stringify({ id, user_id, amount: 49.99, created_at: new Date().toISOString() });
			for (const key of [user_id, user_id, undefined, "another key"]) await putOnKafka("user_purchase", value, key);
			await socket.waitFor(({ data }) => data?.balances?.total === 49.99, "the balance");
			await putOnKafka("user_purchase", JSON.stringify({ id: fresh("elsewhere"), user_id, amount: 0.01 }), user_id);
			await socket.waitFor(({ data }) => data?.balances?.total === 50, "the next balance");
			assert.equal(await total(user_id), 50);
			const rows = await psql(`select id, amount_cents from purchases where user_id = ${quote(user_id)} order by amount_cents`);
			assert.deepEqual(
				rows.map(([, cents]) => cents),
				["1", "4999"]
			);
			assert.equal(rows[1]?.[0], id);
			const again = await httpClient(plaza().url).post("/api/purchases", { user_id, amount: 49.99, id });
			assert.deepEqual([again.status, again.json], [201, { id, user_id, amount: 49.99 }]);
			assert.equal(await total(user_id), 50);
			socket.close();
		});

		it("on user_purchase without an id count as one purchase each", async () => {
			const user_id = fresh("buyer");
			for (let n = 0; n < 3; n++)
				await putOnKafka("user_purchase", JSON.stringify({ user_id, amount: 1.1 }), n === 0 ? undefined : user_id);
			await eventually(async () => assert.equal(await total(user_id), 3.3), "all three in the wallet");
			await expectStatus(201, httpClient(plaza().url).post("/api/purchases", { user_id, amount: 1 }));
			await eventually(async () => assert.equal(await total(user_id), 4.3), "our own purchase in addition");
		});

		it("on user_purchase with invented totals are recorded as purchases, and no total is taken from them", async () => {
			const [user_id, id] = [fresh("buyer"), fresh("forged")];
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			await httpClient(plaza().url).post("/api/purchases", { user_id, amount: 1 });
			await socket.waitFor(({ data }) => data?.balances?.total === 1, "the balance");
			const claim = { seq: "900", total_cents: "90000" };
			await putOnKafka("user_purchase", JSON.stringify({ id, user_id, amount: 2 }), user_id, claim);
			await socket.waitFor(({ data }) => data?.balances?.total === 3, "the balance with the recorded purchase");
			// The same record again, as a mirror would copy it: with the headers that our outbox gave it, and a changed total.
			const copied = (await kafkaRecords("user_purchase", Date.now() - 60_000)).find(
				({ payload, headers }) => payload?.includes(id) && headers.seq !== claim.seq
			);
			await putOnKafka("user_purchase", copied!.payload!, user_id, { ...copied!.headers, ...claim });
			await httpClient(plaza().url).post("/api/purchases", { user_id, amount: 0.5 });
			await socket.waitFor(({ data }) => data?.balances?.total === 3.5, "the balance after both");
			assert.deepEqual(
				socket.of("balance").filter(({ data }) => data.balances.total > 3.5),
				[]
			);
			assert.equal(await total(user_id), 3.5);
			const rows = await psql(`select amount_cents from purchases where user_id = ${quote(user_id)} order by amount_cents`);
			assert.deepEqual(rows, [["50"], ["100"], ["200"]]);
			socket.close();
		});

		it("on order.created of an order that does not exist are dead-lettered, and nothing is charged", async () => {
			const [orderId, buyerId, startMs] = [fresh("order"), fresh("buyer"), Date.now()];
			const order = { orderId, buyerId, items: [], total: 5, status: "pending", createdAt: new Date().toISOString() };
			await putOnKafka("order.created", JSON.stringify(order), orderId, { seq: "1" });
			await eventually(async () => {
				const dead = (await kafkaRecords("order.created.dead", startMs)).filter(({ key }) => key === orderId);
				// A record on another partition than its key's is moved by each group that consumes the topic, and each copy is refused.
				const groups = new Set(dead.map(({ headers }) => headers["dead-group"]));
				assert.deepEqual([...groups].sort(), ["inventory", "payment"]);
			}, "the record to be a dead letter of inventory and payment");
			assert.deepEqual(await psql(`select state from payments where order_id = ${quote(orderId)}`), []);
		});

		it("that cannot be decoded go to <topic>.dead unchanged, and the records after them are handled", async () => {
			const [name, user_id, startMs] = [ownName(), fresh("user"), Date.now()];
			const before = await countOf(plaza(), name);
			for (const topic of ["Selections", "Synchronizations", "user_purchase"]) {
				const marked = [...CORRUPT, fresh("corrupt"), "x".repeat(900_000)];
				// The same key for all: they are in one partition, before the valid record.
				for (const payload of [...marked, ""]) await putOnKafka(topic, payload, user_id);
				await eventually(async () => {
					const dead = (await kafkaRecords(`${topic}.dead`, startMs)).map(({ payload }) => payload);
					for (const payload of marked) assert.ok(dead.includes(payload), `${payload.slice(0, 100)} is not on ${topic}.dead`);
					assert.ok(
						dead.some(payload => !payload),
						`the record without a value is not on ${topic}.dead`
					);
				}, `all to be on ${topic}.dead`);
			}
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			await putOnKafka("Selections", JSON.stringify({ name, id: fresh("pick"), user_id }), user_id);
			await putOnKafka("Synchronizations", JSON.stringify({ user_id }), user_id);
			await putOnKafka("user_purchase", JSON.stringify({ user_id, amount: 2 }), user_id);
			await socket.waitFor(({ data }) => data.count === before + 1, "the pick after them");
			await socket.waitFor(({ code }) => code === "SynchronizationResults", "the synchronization after them");
			await socket.waitFor(({ data }) => data?.balances?.total === 2, "the purchase after them");
			assert.equal((await httpClient(plaza().url).get("/health")).status, 200);
			socket.close();
		});
	});

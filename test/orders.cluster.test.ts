// Orders on the cluster with two nodes of each service that moves stock: killed processes, topics replayed from the start, foreign records.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { openLive } from "./client.live.ts";
import { type Answer, eventually, expectStatus, fresh, httpClient } from "./client.ts";
import { kafkaRecords, psql, putOnKafka } from "./outside.ts";
import { type System, servers, startSystem } from "./system.ts";
import { JWT_SECRET, mint, newAccount } from "./tokens.ts";

const LAYOUT = {
	"gateway-1": "api,socket",
	"gateway-2": "api,socket",
	"orders-1": "orders",
	"orders-2": "orders",
	"inventory-1": "inventory",
	"inventory-2": "inventory",
	others: "selections,summary,sync,products,payment,purchase,seats,users,wallet"
};
const KILLED = ["gateway-2", "orders-1", "inventory-1", "inventory-2", "orders-2"];
const TRY_UNTIL_MS = 120_000;
const STEP_MS = 60_000;

describe("orders with two nodes each", () => {
	let system: System;
	before(async () => {
		// Wait until all processes are ready, so that only the kills disturb the test.
		system = await startSystem({ profile: "cluster", layout: LAYOUT, env: { JWT_SECRET } });
	});
	after(() => system?.stop());

	const bearer = async (id: string, role: "user" | "admin" = "user") => ({ authorization: `Bearer ${await mint(id, { role })}` });
	const product = async (stock: number) => {
		const asked = { name: "Oil", description: "x", price: 5, sku: fresh("sku"), stock };
		const { json, text } = await httpClient(system.url).post("/api/products", asked, await bearer(newAccount(), "admin"));
		assert.ok(json.productId, text);
		return json.productId as string;
	};

	/** Retries with one Idempotency-Key on all gateways until there is a final answer, like a client that got no response. */
	async function order(productId: string, buyer = newAccount()): Promise<Answer> {
		const headers = { ...(await bearer(buyer)), "idempotency-key": fresh("key") };
		const body = { items: [{ productId, quantity: 1 }], shippingAddress: { city: "Athens" } };
		const deadline = Date.now() + TRY_UNTIL_MS;
		for (let attempt = 0; ; attempt++) {
			const url = system.urls[attempt % system.urls.length] as string;
			const answer = await httpClient(url)
				.post("/api/orders", body, headers)
				.catch(() => undefined);
			if (answer?.status === 201 || answer?.json?.type === "OUT_OF_STOCK") return answer;
			if (answer && answer.status < 500) throw new Error(answer.text);
			if (Date.now() > deadline) throw new Error(`no final answer within ${TRY_UNTIL_MS} ms, the last: ${answer?.text}`);
			await delay(100);
		}
	}

	const inventoryReport = async () =>
		(await httpClient(system.url).get("/api/inventory", await bearer(newAccount(), "admin"))).json as { broken: string[] };
	const waitForStock = (productId: string, stock: number) =>
		eventually(
			async () => {
				const { json } = await httpClient(system.url).get(`/api/inventory/${productId}`);
				assert.deepEqual([json.stock, json.reserved], [stock, 0]);
			},
			`the stock to be ${stock}`,
			STEP_MS
		);

	it("sells exactly 12 of 12 to 200 buyers while processes of every kind are killed", async () => {
		const productId = await product(12);
		const answers = Promise.all(Array.from({ length: 200 }, () => order(productId)));
		for (const name of KILLED) {
			const process = system.process(name);
			await process.kill("SIGKILL");
			process.start();
		}
		const sold = (await answers).filter(({ status }) => status === 201);
		assert.equal(new Set(sold.map(({ json }) => json.orderId)).size, 12);
		assert.equal(sold.length, 12);
		await system.ready();
		await waitForStock(productId, 0);
		assert.deepEqual((await inventoryReport()).broken, []);
		const [[deadlocks]] = (await psql("select deadlocks from pg_stat_database where datname = current_database()")) as [[string]];
		assert.equal(Number(deadlocks), 0);
	});

	it("repeats no stock movement and no event when every topic is replayed from its start", async () => {
		const productId = await product(40);
		const buyer = newAccount();
		const made = await Promise.all(Array.from({ length: 10 }, () => order(productId, buyer)));
		const statuses = async (of: Answer[]) => {
			const asked = of.map(async ({ json }) => httpClient(system.url).get(`/api/payments/${json.orderId}`, await bearer(buyer)));
			return (await Promise.all(asked)).map(({ json }) => json.status).sort();
		};
		const succeeded = Array<string>(10).fill("succeeded");
		await eventually(async () => assert.deepEqual(await statuses(made), succeeded), "all payments", STEP_MS);
		const cancelled = made.slice(0, 4).map(({ json }) => json.orderId as string);
		for (const id of cancelled)
			await expectStatus(200, httpClient(system.url).post(`/api/orders/${id}/cancel`, undefined, await bearer(buyer)));
		await waitForStock(productId, 34);
		const paid = [...Array<string>(4).fill("refunded"), ...Array<string>(6).fill("succeeded")];
		await eventually(async () => assert.deepEqual(await statuses(made), paid), "all refunds", STEP_MS);
		const orders = await psql(`select id, status, seq from orders where buyer_id = '${buyer}' order by id`);
		const startMs = Date.now();

		const workers = system.processes.filter(({ name }) => !name.startsWith("gateway"));
		// After SIGTERM they leave their groups at once; the group of a killed member waits 8 s for its session to time out.
		await Promise.all(workers.map(one => one.kill("SIGTERM")));
		await resetToEarliest({
			inventory: ["product.created", "order.created", "order.cancelled"],
			payment: ["order.created", "order.cancelled"],
			orders: ["payment.succeeded", "payment.failed"]
		});
		for (const one of workers) one.start();
		await system.ready();
		// This order is handled after all replayed records of its partition; the other partitions are as fast.
		const next = await order(productId, buyer);
		await waitForStock(productId, 33);
		await eventually(async () => assert.deepEqual(await statuses([next]), ["succeeded"]), "the next payment", STEP_MS);
		assert.deepEqual(await statuses(made), paid);

		assert.deepEqual((await inventoryReport()).broken, []);
		const after = await psql(
			`select id, status, seq from orders where buyer_id = '${buyer}' and id <> '${next.json.orderId}' order by id`
		);
		assert.deepEqual(after, orders);
		const published = await kafkaRecords("inventory.updated", startMs);
		const ofProduct = published.map(({ payload }) => JSON.parse(payload ?? "{}")).filter(({ productId: id }) => id === productId);
		assert.deepEqual(
			ofProduct.map(({ stock }) => stock),
			[33]
		);
	});

	/** Resets the committed offsets of these groups; none of their members may be running. */
	async function resetToEarliest(groups: Record<string, string[]>) {
		const brokers = (servers().KAFKA_BROKERS ?? "localhost:9092").split(",");
		const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
		await admin.connect();
		try {
			for (const [groupId, topics] of Object.entries(groups))
				for (const topic of topics)
					await eventually(
						() => admin.resetOffsets({ groupId, topic, earliest: true }),
						`${groupId} to have no members`,
						STEP_MS
					);
		} finally {
			await admin.disconnect();
		}
	}

	it("publishes exactly the contract's values on the eight topics, with its keys", async () => {
		const [startMs, buyer, admin] = [Date.now(), newAccount(), await bearer(newAccount(), "admin")];
		const productId = await product(20);
		const patch = (path: string, body: object) =>
			httpClient(system.url).send("PATCH", path, { "content-type": "application/json", ...admin }, body);
		await patch(`/api/products/${productId}`, { price: 6 });
		const { json: order1 } = await order(productId, buyer);
		for (const status of ["processing", "shipped", "delivered"]) await patch(`/api/orders/${order1.orderId}/status`, { status });
		const { json: order2 } = await order(productId, buyer);
		await waitForStock(productId, 18);
		await expectStatus(200, httpClient(system.url).post(`/api/orders/${order2.orderId}/cancel`, undefined, await bearer(buyer)));
		await waitForStock(productId, 19);

		const on = async (topic: string, key: string) =>
			(await kafkaRecords(topic, startMs)).filter(one => one.key === key).map(({ payload }) => JSON.parse(payload ?? "{}"));
		const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
		const expectRecords = (topic: string, key: string, field: string | undefined, expected: object[]) =>
			eventually(async () => {
				const values = await on(topic, key);
				const plain = values.map(value => {
					const { [field ?? ""]: time, ...rest } = value;
					if (field) assert.match(time, TIME);
					return rest;
				});
				assert.deepEqual(plain, expected, topic);
			}, `the records of ${topic}`);
		const { sku, ...shown } = { productId, name: "Oil", sku: order1.items[0].sku, stock: 20, category: "general" };
		await expectRecords("product.created", productId, undefined, [{ ...shown, sku, price: 5 }]);
		await expectRecords("product.updated", productId, undefined, [{ ...shown, sku, price: 6 }]);
		const { orderId, buyerId, items, total } = order1;
		assert.equal(total, 6);
		await expectRecords("order.created", orderId, "createdAt", [{ orderId, buyerId, items, total, status: "pending" }]);
		const steps = [
			["pending", "processing"],
			["processing", "shipped"],
			["shipped", "delivered"]
		];
		await expectRecords(
			"order.updated",
			orderId,
			"updatedAt",
			steps.map(([previousStatus, status]) => ({ orderId, status, previousStatus, buyerId }))
		);
		await expectRecords("order.shipped", orderId, "shippedAt", [{ orderId, buyerId }]);
		await expectRecords("order.delivered", orderId, "deliveredAt", [{ orderId, buyerId }]);
		await expectRecords("order.cancelled", order2.orderId, "cancelledAt", [{ orderId: order2.orderId, buyerId }]);
		await expectRecords("inventory.updated", productId, undefined, [
			{ productId, stock: 19, previousStock: 20, sku },
			{ productId, stock: 18, previousStock: 19, sku },
			{ productId, stock: 19, previousStock: 18, sku }
		]);
	});

	it("pushes a foreign record to the order's buyer unchanged, and looks up the buyer if the record does not name one", async () => {
		const buyer = newAccount();
		const screen = await openLive(system.urls.at(-1) as string, await mint(buyer));
		const { json } = await order(await product(5), buyer);
		const value = {
			orderId: json.orderId,
			status: "processing",
			previousStatus: "pending",
			updatedAt: new Date().toISOString(),
			note: "by hand"
		};
		await putOnKafka("order.updated", JSON.stringify(value), json.orderId);
		await screen.until(() => assert.deepEqual(screen.of("order:updated"), [value]), "the foreign record");
		await putOnKafka("order.updated", JSON.stringify({ ...value, orderId: fresh("nobody") }));
		await putOnKafka("order.updated", JSON.stringify({ ...value, buyerId: buyer, status: "shipped" }), json.orderId);
		await screen.until(() => assert.equal(screen.of("order:updated").length, 2), "the record after one of an unknown order");
		screen.close();
	});
});

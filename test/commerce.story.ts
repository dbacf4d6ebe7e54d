// Products, stock, orders and payments over HTTP, and the events that the screens of buyers and admins receive.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type LiveClient, openLive } from "./client.live.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { assertError } from "./http.story.ts";
import type { System } from "./system.ts";
import { mint, newAccount } from "./tokens.ts";

const ADDRESS = { street: "1 Main Street", city: "Athens" };

/** The system must have been started with the tests' JWT_SECRET. */
export const commerceStory = (plaza: () => System) =>
	describe("commerce", { concurrency: 4 }, () => {
		const as = async (role: "user" | "admin" = "user") => {
			const id = newAccount();
			const token = await mint(id, { role });
			const headers = { authorization: `Bearer ${token}` };
			const http = httpClient(plaza().url);
			return {
				id,
				token,
				get: (path: string) => http.get(path, headers),
				post: (path: string, body?: object, more: Record<string, string> = {}) => http.post(path, body, { ...headers, ...more }),
				patch: (path: string, body: object) => http.send("PATCH", path, { "content-type": "application/json", ...headers }, body)
			};
		};
		type Person = Awaited<ReturnType<typeof as>>;

		const product = async (stock: number, price = 12.5) => {
			const input = { name: "Olive oil", description: "Cold pressed", price, sku: fresh("sku"), stock };
			const { status, json, text } = await (await as("admin")).post("/api/products", input);
			assert.equal(status, 201, text);
			return json as { productId: string; sku: string; price: number };
		};
		const ordering = (productId: string, quantity: number) => ({ items: [{ productId, quantity }], shippingAddress: ADDRESS });
		const order = async (buyer: Person, productId: string, quantity: number) => {
			const { status, json, text } = await buyer.post("/api/orders", ordering(productId, quantity));
			assert.equal(status, 201, text);
			return json;
		};
		const inventoryOf = async (productId: string) => (await httpClient(plaza().url).get(`/api/inventory/${productId}`)).json;
		const waitForStock = (productId: string, stock: number) =>
			eventually(async () => {
				const { stock: now, reserved } = await inventoryOf(productId);
				assert.deepEqual([now, reserved], [stock, 0]);
			}, `the stock to be ${stock}`);

		/** Opens a dashboard and two screens of the buyer, on two gateways if there are two. */
		const screens = async (buyer: Person) => {
			const admin = await as("admin");
			const last = plaza().urls.at(-1) as string;
			const opened = await Promise.all([
				openLive(last, admin.token),
				openLive(plaza().url, buyer.token),
				openLive(last, buyer.token)
			]);
			const [dashboard, here, there] = opened as [LiveClient, LiveClient, LiveClient];
			assert.deepEqual(await dashboard.emitWithAck("subscribe:admin"), { ok: true });
			assert.deepEqual(await here.emitWithAck("subscribe:orders", { userId: "another user" }), { ok: true });
			assert.deepEqual(await there.emitWithAck("subscribe:inventory"), { ok: true });
			const close = () => {
				for (const one of opened) one.close();
			};
			return { admin, dashboard, here, there, close };
		};
		const ofOrder = (screen: LiveClient, orderId: string) =>
			screen.events.filter(({ payload }) => payload?.orderId === orderId).map(({ event }) => event);
		const receives = (screen: LiveClient, orderId: string, events: string[]) =>
			screen.until(() => assert.deepEqual(ofOrder(screen, orderId), events), `${events.join(", ")} of ${orderId}`);

		it("reduces a stock of 12 by an order of 3, and pushes the new stock of 9 to every screen once", async () => {
			const buyer = await as();
			const { here, there, dashboard, close } = await screens(buyer);
			const guest = await openLive(plaza().url);
			const { productId, sku } = await product(12);
			const { orderId, ...placed } = await order(buyer, productId, 3);
			const { createdAt, ...rest } = placed;
			assert.match(createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
			const items = [{ productId, quantity: 3, sku, name: "Olive oil", price: 12.5 }];
			assert.deepEqual(rest, { buyerId: buyer.id, items, total: 37.5, status: "pending", shippingAddress: ADDRESS });

			const updated = { productId, stock: 9, previousStock: 12, sku };
			const mine = (payload: { productId?: string }) => payload.productId === productId;
			for (const screen of [here, there, guest, dashboard])
				await screen.until(() => assert.deepEqual(screen.of("inventory:updated", mine), [updated]), "the new stock");
			await dashboard.until(() => {
				assert.deepEqual(dashboard.of("admin:inventory:updated", mine), [updated]);
				const alert = { type: "inventory", severity: "warning", message: "Low stock alert", productId, sku, stock: 9 };
				assert.deepEqual(dashboard.of("admin:alert", mine), [alert]);
				const productEvent = { productId, name: "Olive oil", sku, price: 12.5, stock: 12, category: "general" };
				assert.deepEqual(dashboard.of("admin:product:created", mine), [productEvent]);
			}, "the dashboard to receive all events");
			const created = { orderId, buyerId: buyer.id, items, total: 37.5, status: "pending", createdAt };
			await here.until(() => assert.deepEqual(here.of("order:created"), [created]), "order:created");
			await dashboard.until(
				() =>
					assert.deepEqual(
						dashboard.of("admin:order:created", ({ orderId: id }) => id === orderId),
						[created]
					),
				"admin:order:created"
			);
			assert.deepEqual(
				guest.events.filter(({ event }) => event !== "inventory:updated"),
				[]
			);

			const cancels = [await buyer.post(`/api/orders/${orderId}/cancel`), await buyer.post(`/api/orders/${orderId}/cancel`)];
			assert.deepEqual(
				cancels.map(({ status, json }) => [status, json.status]),
				[
					[200, "cancelled"],
					[200, "cancelled"]
				]
			);
			await waitForStock(productId, 12);
			for (const screen of [here, there]) await receives(screen, orderId, ["order:created", "order:cancelled"]);
			await receives(dashboard, orderId, ["admin:order:created", "admin:order:cancelled"]);
			const { cancelledAt, ...cancelled } = here.of("order:cancelled")[0];
			assert.match(cancelledAt, /Z$/);
			assert.deepEqual(cancelled, { orderId, buyerId: buyer.id });
			guest.close();
			close();
		});

		it("takes price, total and buyer from its own data and ignores the client's values", async () => {
			const [buyer, other] = [await as(), await as()];
			const { productId } = await product(5);
			const items = [{ productId, quantity: 2, price: 0.01, name: "for nothing" }];
			const asked = { items, shippingAddress: ADDRESS, total: 0.02, buyerId: other.id, status: "delivered" };
			const { status, json } = await buyer.post("/api/orders", asked);
			assert.deepEqual(
				[status, json.total, json.buyerId, json.status, json.items[0].price],
				[201, 25, buyer.id, "pending", 12.5]
			);
			const { json: payment } = await buyer.get(`/api/payments/${json.orderId}`);
			assert.deepEqual([payment.orderId, payment.amount], [json.orderId, 25]);
		});

		it("pushes each status of an order once and in order, and refuses invalid transitions", async () => {
			const buyer = await as();
			const { admin, here, there, dashboard, close } = await screens(buyer);
			const { productId } = await product(50);
			const { orderId } = await order(buyer, productId, 1);
			const moveTo = (status: string) => admin.patch(`/api/orders/${orderId}/status`, { status });
			assertError(await moveTo("delivered"), 409, "BAD_TRANSITION");
			for (const status of ["processing", "processing", "shipped", "delivered"]) {
				const { status: code, json } = await moveTo(status);
				assert.deepEqual([code, json.status, json.orderId], [200, status, orderId]);
			}
			for (const status of ["pending", "processing", "cancelled"]) assertError(await moveTo(status), 409, "BAD_TRANSITION");
			assertError(await buyer.post(`/api/orders/${orderId}/cancel`), 409, "BAD_TRANSITION");
			assertError(await moveTo("lost"), 422, "VALIDATION_ERROR");

			const [created, updated] = ["order:created", "order:updated"];
			for (const screen of [here, there])
				await receives(screen, orderId, [created, updated, updated, "order:shipped", updated, "order:delivered"] as string[]);
			await receives(dashboard, orderId, [`admin:${created}`, ...Array<string>(3).fill(`admin:${updated}`)]);
			assert.deepEqual(
				here.of("order:updated").map(({ status, previousStatus, buyerId }) => [previousStatus, status, buyerId]),
				[
					["pending", "processing", buyer.id],
					["processing", "shipped", buyer.id],
					["shipped", "delivered", buyer.id]
				]
			);
			close();
		});

		it("pushes an order only to dashboards and to its buyer", async () => {
			const [buyer, other] = [await as(), await as()];
			const stranger = await openLive(plaza().url, other.token);
			assert.deepEqual(await stranger.emitWithAck("subscribe:admin"), { ok: false, error: { type: "FORBIDDEN" } });
			assert.deepEqual(await stranger.emitWithAck("subscribe:orders", buyer.id), { ok: true });
			const { productId } = await product(20);
			const { orderId } = await order(buyer, productId, 1);
			await waitForStock(productId, 19);
			await stranger.until(
				() => assert.equal(stranger.of("inventory:updated", ({ productId: id }) => id === productId).length, 1),
				"the event for all clients"
			);
			const { orderId: own } = await order(other, productId, 1);
			await receives(stranger, own, ["order:created"]);
			assert.deepEqual(ofOrder(stranger, orderId), []);
			assert.deepEqual(
				stranger.events.filter(({ event }) => event.startsWith("admin:")),
				[]
			);
			for (const path of [`/api/orders/${orderId}`, `/api/payments/${orderId}`])
				assertError(await other.get(path), 404, "NOT_FOUND");
			assertError(await other.post(`/api/orders/${orderId}/cancel`), 404, "NOT_FOUND");
			assert.deepEqual(
				(await other.get("/api/orders")).json.map(({ orderId: id }: { orderId: string }) => id),
				[own]
			);
			stranger.close();
		});

		it("creates one order from a hundred retries with one Idempotency-Key, and refuses a different order with this key", async () => {
			const buyer = await as();
			const { productId } = await product(1_000);
			const key = fresh("key");
			const ask = (quantity = 2) => buyer.post("/api/orders", ordering(productId, quantity), { "idempotency-key": key });
			const answers = await Promise.all(Array.from({ length: 100 }, () => ask()));
			assert.deepEqual([...new Set(answers.map(({ status, text }) => `${status} ${text}`))].length, 1, answers[0]?.text);
			assert.equal(answers[0]?.status, 201);
			assertError(await ask(3), 409, "CONFLICT");
			await waitForStock(productId, 998);
			assert.equal((await buyer.get("/api/orders")).json.length, 1);
		});

		it("never oversells to 200 concurrent buyers, and names the product that is out of stock to the others", async () => {
			const { productId } = await product(12);
			const buyers = await Promise.all(Array.from({ length: 200 }, () => as()));
			const answers = await Promise.all(buyers.map(buyer => buyer.post("/api/orders", ordering(productId, 1))));
			const refused = answers.filter(({ status }) => status !== 201);
			assert.equal(answers.length - refused.length, 12);
			for (const answer of refused) {
				assertError(answer, 409, "OUT_OF_STOCK");
				assert.equal(answer.json.data.productId, productId);
			}
			await waitForStock(productId, 0);
			const { json } = await (await as("admin")).get("/api/inventory");
			assert.deepEqual(json.broken, []);
		});

		it("cancels an order whose payment is declined, and returns its stock", async () => {
			const buyer = await as();
			const { here, close } = await screens(buyer);
			const { productId } = await product(5, 60_000);
			const { orderId } = await order(buyer, productId, 2);
			await eventually(
				async () => assert.equal((await buyer.get(`/api/orders/${orderId}`)).json.status, "cancelled"),
				"the order to be cancelled"
			);
			await waitForStock(productId, 5);
			assert.deepEqual((await buyer.get(`/api/payments/${orderId}`)).json, { orderId, amount: 120_000, status: "failed" });
			await receives(here, orderId, ["order:created", "order:cancelled"]);
			close();
		});

		it("refunds a paid order that is cancelled", async () => {
			const buyer = await as();
			const { productId } = await product(5);
			const { orderId } = await order(buyer, productId, 1);
			const isNow = (status: string) =>
				eventually(
					async () => assert.deepEqual((await buyer.get(`/api/payments/${orderId}`)).json, { orderId, amount: 12.5, status }),
					`the payment to be ${status}`
				);
			await isNow("succeeded");
			assert.equal((await buyer.post(`/api/orders/${orderId}/cancel`)).status, 200);
			await isNow("refunded");
		});

		it("answers each kind of invalid input with its own error, and reserves nothing", async () => {
			const [buyer, admin] = [await as(), await as("admin")];
			const { productId, sku } = await product(10);
			const refuses = async (body: object, code: number, type: string, field?: string) => {
				const answer = await buyer.post("/api/orders", body);
				assertError(answer, code, type, JSON.stringify(body));
				if (field)
					assert.ok(
						answer.json.data.some((error: { field: string }) => error.field.startsWith(field)),
						answer.text
					);
			};
			for (const quantity of [0, -1, 1.5, 10_001, "1", null])
				await refuses({ items: [{ productId, quantity }], shippingAddress: ADDRESS }, 422, "VALIDATION_ERROR", "items");
			await refuses({ ...ordering(productId, 1), items: [] }, 422, "VALIDATION_ERROR", "items");
			await refuses({ ...ordering(productId, 1), shippingAddress: {} }, 422, "VALIDATION_ERROR", "shippingAddress");
			await refuses(
				{ ...ordering(productId, 1), shippingAddress: { a: "x".repeat(1000) } },
				422,
				"VALIDATION_ERROR",
				"shippingAddress"
			);
			await refuses(ordering(fresh("nothing"), 1), 404, "NOT_FOUND");
			const twice = { items: [6, 5].map(quantity => ({ productId, quantity })), shippingAddress: ADDRESS };
			await refuses(twice, 409, "OUT_OF_STOCK");
			assert.deepEqual(await inventoryOf(productId), { productId, sku, stock: 10, reserved: 0 });

			const validInput = { name: "Oil", description: "x", price: 1, sku: fresh("sku"), stock: 1 };
			for (const [change, field] of [
				[{ price: 1.005 }, "price"],
				[{ price: -1 }, "price"],
				[{ stock: -1 }, "stock"],
				[{ stock: 1.5 }, "stock"],
				[{ name: "" }, "name"]
			] as const) {
				const answer = await admin.post("/api/products", { ...validInput, ...change });
				assertError(answer, 422, "VALIDATION_ERROR");
				assert.equal(answer.json.data[0].field, field);
			}
			assertError(await admin.post("/api/products", { ...validInput, sku }), 409, "CONFLICT");
			assertError(await buyer.post("/api/products", validInput), 403, "FORBIDDEN");
			assertError(await httpClient(plaza().url).post("/api/orders", ordering(productId, 1)), 401, "UNAUTHORIZED");
			assertError(await buyer.patch(`/api/inventory/${productId}`, { stock: 1 }), 403, "FORBIDDEN");
		});

		it("lists products with their stock in pages, with the latest stock and price", async () => {
			const admin = await as("admin");
			const [first, second] = [await product(3), await product(4)];
			const { status, json } = await admin.patch(`/api/inventory/${first.productId}`, { stock: 30 });
			assert.deepEqual([status, json.stock], [200, 30]);
			const changed = await admin.patch(`/api/products/${first.productId}`, { price: 9.99 });
			assert.deepEqual([changed.status, changed.json.price, changed.json.stock], [200, 9.99, 30]);
			const http = httpClient(plaza().url);
			const page = await http.get(`/api/products?limit=1&after=${first.productId}`);
			assert.equal(page.json.length, 1);
			assert.notEqual(page.json[0].productId, first.productId);
			assert.equal((await http.get(`/api/products/${second.productId}`)).json.stock, 4);
			assertError(await http.get("/api/products?limit=201"), 422, "VALIDATION_ERROR");
		});
	});

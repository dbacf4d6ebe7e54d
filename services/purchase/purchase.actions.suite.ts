// The promises of the service's actions.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import type { PurchaseNodes } from "./purchase.testing.ts";

export const actionSuite = ({ db, call, published }: PurchaseNodes) => {
	describe("purchase.create", () => {
		it("makes an id if none is given, and the purchase is in the user's total and in its message", async () => {
			const user_id = randomUUID();
			const answer = await call("purchase.create", { user_id, amount: 49.99 }, { requestID: "request-1" });
			assert.match(answer.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
			assert.deepEqual(answer, { id: answer.id, user_id, amount: 49.99 });
			assert.deepEqual(await call("purchase.total", { user_id }), { seq: 1, total_cents: 4999 });
			const [message, ...more] = await published(user_id);
			assert.deepEqual(more, []);
			assert.deepEqual(message, {
				id: answer.id,
				amount: 49.99,
				createdAt: message?.createdAt,
				seq: 1,
				totalCents: 4999,
				requestID: "request-1"
			});
			const [row] = await db("purchases").where({ user_id });
			assert.deepEqual([row.id, row.amount_cents, row.created_at.toISOString()], [answer.id, "4999", message?.createdAt]);
		});

		it("gives the same answer and buys nothing for a repeated id", async () => {
			const request = { id: randomUUID(), user_id: randomUUID(), amount: 12.34 };
			const answers = [await call("purchase.create", request), await call("purchase.create", request)];
			assert.deepEqual(answers, [request, request]);
			assert.equal((await published(request.user_id)).length, 1);
			assert.deepEqual(await call("purchase.total", { user_id: request.user_id }), { seq: 1, total_cents: 1234 });
		});

		it("refuses a repeated id with another amount, and keeps the first", async () => {
			const request = { id: randomUUID(), user_id: randomUUID(), amount: 5 };
			await call("purchase.create", request);
			await assert.rejects(call("purchase.create", { ...request, amount: 6 }), { type: "CONFLICT", code: 409 });
			assert.deepEqual(await call("purchase.total", { user_id: request.user_id }), { seq: 1, total_cents: 500 });
		});

		it("sells to two users under one id", async () => {
			const [id, one, two] = [randomUUID(), randomUUID(), randomUUID()];
			await Promise.all([one, two].map((user_id, n) => call("purchase.create", { id, user_id, amount: n + 1 })));
			assert.equal((await call("purchase.total", { user_id: one })).total_cents, 100);
			assert.equal((await call("purchase.total", { user_id: two })).total_cents, 200);
		});

		it("adds a hundred times 0.10 up to 10, and of 49.99 to 4999", async () => {
			for (const [amount, cents] of [
				[0.1, 1000],
				[49.99, 499_900]
			] as const) {
				const user_id = randomUUID();
				await Promise.all(Array.from({ length: 100 }, () => call("purchase.create", { user_id, amount })));
				assert.deepEqual(await call("purchase.total", { user_id }), { seq: 100, total_cents: cents });
			}
		});

		it("refuses a purchase that would take a total out of the exact range, and only that one", async () => {
			const [full, other] = [randomUUID(), randomUUID()];
			await db("purchase_totals").insert({ user_id: full, seq: 7, total_cents: Number.MAX_SAFE_INTEGER - 100 });
			const [tooMuch, ok, fits] = await Promise.allSettled([
				call("purchase.create", { user_id: full, amount: 1.01 }),
				call("purchase.create", { user_id: other, amount: 1.01 }),
				call("purchase.create", { user_id: full, amount: 1 })
			]);
			assert.equal((tooMuch as PromiseRejectedResult).reason?.type, "VALIDATION_ERROR");
			assert.deepEqual([ok?.status, fits?.status], ["fulfilled", "fulfilled"]);
			assert.deepEqual(await call("purchase.total", { user_id: full }), { seq: 8, total_cents: Number.MAX_SAFE_INTEGER });
		});
	});

	describe("purchase.record", () => {
		it("counts a purchase from elsewhere once, with its own time", async () => {
			const bought = { id: randomUUID(), user_id: randomUUID(), amount: 3.5, created_at: "2020-02-29T12:00:00+02:00" };
			assert.deepEqual(await call("purchase.record", bought), { recorded: true });
			assert.deepEqual(await call("purchase.record", bought), { recorded: false });
			const messages = await published(bought.user_id);
			assert.deepEqual(
				messages.map(({ id, createdAt, seq, totalCents }) => [id, createdAt, seq, totalCents]),
				[[bought.id, "2020-02-29T10:00:00.000Z", 1, 350]]
			);
		});

		it("refuses a known id with another amount", async () => {
			const bought = { id: randomUUID(), user_id: randomUUID(), amount: 3 };
			await call("purchase.create", bought);
			await assert.rejects(call("purchase.record", { ...bought, amount: 4 }), { type: "CONFLICT" });
		});

		it("gives a purchase the time of its recording if it has no valid time", async () => {
			for (const created_at of [undefined, "yesterday", "2020-02-30T00:00:00Z", "0000-01-01T00:00:00Z"]) {
				const user_id = randomUUID();
				await call("purchase.record", { id: randomUUID(), user_id, amount: 1, created_at });
				const [message] = await published(user_id);
				assert.ok(Math.abs(Date.parse(message?.createdAt ?? "") - Date.now()) < 60_000, message?.createdAt);
			}
		});
	});

	describe("purchase.total", () => {
		it("is 0 for a user without purchases", async () => {
			assert.deepEqual(await call("purchase.total", { user_id: randomUUID() }), { seq: 0, total_cents: 0 });
		});

		it("is each user's own for concurrent requests", async () => {
			const users = Array.from({ length: 20 }, () => randomUUID());
			await Promise.all(users.map((user_id, n) => call("purchase.create", { user_id, amount: n + 1 })));
			const totals = await Promise.all([...users, ...users].map(user_id => call("purchase.total", { user_id })));
			assert.deepEqual(
				totals.map(({ total_cents }) => total_cents),
				[...users.keys(), ...users.keys()].map(n => (n + 1) * 100)
			);
		});
	});
};
